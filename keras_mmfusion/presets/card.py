"""The card of a preset: `README.md`, written from its metadata."""

from collections.abc import Mapping
from typing import Any


def render(metadata: Mapping[str, Any], title: str) -> str:
    """Returns the card as Markdown, with the front matter the Hub reads.

    Args:
        metadata: The content of `metadata.json`. `name`, if there, is the
            preset's name in its class.
        title: Heading of the card.
    """
    parts = [_front_matter(metadata), f"# {title}"]
    if metadata.get("description"):
        parts.append(str(metadata["description"]))
    parts.append(_state(metadata))
    for heading, key in (
        ("Results", "metrics"),
        ("Origin of the weights", "converted"),
        ("Training data", "data"),
        ("Seeds", "seeds"),
        ("Paper", "paper"),
        ("Notes", "notes"),
    ):
        if metadata.get(key):
            parts.append(f"## {heading}\n\n{_section(metadata[key])}")
    if metadata.get("robustness"):
        parts.append(f"## Robustness\n\n{_robustness(metadata['robustness'])}")
    if metadata.get("recipe"):
        parts.append(f"## Recipe\n\n```\n{metadata['recipe']}\n```")
    parts.append(_use(metadata, title))
    return "\n\n".join(parts) + "\n"


def _front_matter(metadata: Mapping[str, Any]) -> str:
    lines = ["---", "library_name: keras_mmfusion"]
    lines += ["tags:", "- keras", "- multimodal"]
    return "\n".join([*lines, f"- {metadata['class_name'].lower()}", "---"])


def _state(metadata: Mapping[str, Any]) -> str:
    count = sum(_size(entry["shape"]) for entry in metadata["variables"])
    text = (
        f"`{metadata['class_name']}`, {count:,} values in "
        f"{len(metadata['variables'])} weights."
    )
    if not metadata["trained"]:
        text += " **No trained weights**: the architecture only."
    return text


def _use(metadata: Mapping[str, Any], title: str) -> str:
    name = metadata.get("name") or f"path/to/{title}"
    argument = "" if metadata["trained"] else ", load_weights=False"
    return (
        "## Use\n\n```python\nimport keras_mmfusion as mmf\n\n"
        f"model = mmf.models.{metadata['class_name']}.from_preset("
        f'"{name}"{argument})\n```'
    )


def _robustness(value: Mapping[str, Any]) -> str:
    lines = [
        f"{value['metric']} {_score(value['clean'])} on {value['samples']} "
        "clean test samples; in the table at each severity, and the area "
        "under the curve (the mean score).",
        "",
        "| corruption | modality | severity: score | area |",
        "|---|---|---|---|",
    ]
    for curve in value["curves"]:
        points = zip(curve["severities"], curve["mean"], strict=True)
        cells = (
            curve["corruption"],
            curve["modality"],
            ", ".join(f"{x:g}: {_score(y)}" for x, y in points),
            _score(curve["area"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _score(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _section(value: Any) -> str:
    if isinstance(value, Mapping):
        rows = [(name, _cell(cell)) for name, cell in _flat(value)]
        lines = ["| | |", "|---|---|"]
        return "\n".join(lines + [f"| {a} | {b} |" for a, b in rows])
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, item in value.items():
        nested = isinstance(item, Mapping) and not _is_statistic(item)
        if nested:
            rows += _flat(item, f"{prefix}{name}, ")
        else:
            rows.append((f"{prefix}{name}", item))
    return rows


def _is_statistic(value: Mapping[str, Any]) -> bool:
    return "mean" in value or "value" in value


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        text = _cell(value.get("mean", value.get("value")))
        if "std" in value:
            text += f" ± {_cell(value['std'])}"
        if "interval" in value:
            low, high = value["interval"]
            text += f" [{_cell(low)}, {_cell(high)}]"
        return text
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|")


def _size(shape: list[int]) -> int:
    result = 1
    for n in shape:
        result *= n
    return result
