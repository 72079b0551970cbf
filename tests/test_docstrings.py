"""Every fenced Python example in a docstring or Markdown page runs."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import keras_mmfusion

FENCE = re.compile(r"^( *)```python\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
ROOT = Path(__file__).parent.parent


def examples():
    """(name, code) of every example in the package, README and CONTRIBUTING."""
    for info in pkgutil.walk_packages(
        keras_mmfusion.__path__, "keras_mmfusion."
    ):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        yield from fenced(info.name, module.__doc__)
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != info.name:
                continue
            yield from fenced(f"{info.name}.{name}", value.__doc__)
            if inspect.isclass(value):
                for key, member in vars(value).items():
                    doc = getattr(member, "__doc__", None)
                    if callable(member) or isinstance(
                        member, property | classmethod | staticmethod
                    ):
                        yield from fenced(f"{info.name}.{name}.{key}", doc)
    yield from fenced("keras_mmfusion", keras_mmfusion.__doc__)
    for page in ("README.md", "CONTRIBUTING.md"):
        if (ROOT / page).exists():
            yield from fenced(page, (ROOT / page).read_text())


def fenced(name, text):
    text = inspect.cleandoc(text) if text else ""
    for i, match in enumerate(FENCE.finditer(text)):
        code = re.sub(f"^{match[1]}", "", match[2], flags=re.MULTILINE)
        yield pytest.param(code, id=f"{name}-{i}")


@pytest.mark.parametrize("code", list(examples()))
def test_example_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "<example>", "exec"), {})  # noqa: S102
