"""Limits of size that no linter here checks."""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
FOLDERS = ("benchmarks", "examples", "keras_mmfusion", "tests", "weights")
FILES = [f for folder in FOLDERS for f in (ROOT / folder).rglob("*.py")]


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    text = function.body[0]
    return lines - ((text.end_lineno or 0) - text.lineno + 1)


def test_files_have_at_most_400_lines():
    assert len(FILES) > 400
    for file in FILES:
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, file


def test_functions_have_at_most_60_lines_of_code():
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, kinds):
                assert lines_of_code(node) <= 60, f"{file}: {node.name}"
