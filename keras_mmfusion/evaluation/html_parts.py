"""Pieces of an HTML page that needs nothing but itself."""

import html
import io
import re
from collections.abc import Sequence
from typing import Any

_IDS = (
    (re.compile(r'\bid="'), 'id="{}-'),
    (re.compile(r"url\(#"), "url(#{}-"),
    (re.compile(r'xlink:href="#'), 'xlink:href="#{}-'),
)
# An HTML parser knows the name spaces of <svg>, so no address is needed.
_NAMESPACES = re.compile(r'\s+xmlns(:\w+)?="[^"]*"')
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)

STYLE = """
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Arial, sans-serif;
  color: #1c1e21; background: #fff; max-width: 66rem; margin: 2.5rem auto;
  padding: 0 1.25rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-bottom: .25rem;
  border-bottom: 1px solid #d8dbe0; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, ul { max-width: 44rem; }
.lead { font-size: 1.1rem; }
.quiet, caption, small { color: #5a6069; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0 1rem;
  font-size: .94rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .875rem; padding-bottom: .35rem; }
th, td { text-align: right; padding: .3rem .6rem; vertical-align: top;
  border-bottom: 1px solid #e6e8eb; white-space: nowrap; }
th { vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { border-bottom: 1px solid #8b929b; }
tr.floor td { color: #5a6069; }
td.text, th.text { text-align: left; white-space: normal; }
small { display: block; font-size: .8rem; }
.warnings { background: #fff7e0; border-left: 4px solid #d9a400;
  padding: .6rem 1rem; max-width: 44rem; }
.warnings ul { margin: 0; padding-left: 1.1rem; }
pre { background: #f5f6f8; padding: .8rem 1rem; overflow-x: auto;
  font-size: .82rem; line-height: 1.4; }
figure { margin: 1rem 0; }
svg { max-width: 100%; height: auto; }
summary { cursor: pointer; margin: .6rem 0; }
@media print { details { display: block; } }
"""


def escape(text: Any) -> str:
    """Text that cannot be mistaken for markup."""
    return html.escape(str(text))


def page(title: str, body: Sequence[str]) -> str:
    """A whole document."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        "<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A heading with what belongs to it."""
    content = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape(text)}</p>"


def cell(value: str, note: str = "", text: bool = False) -> str:
    """A table cell with a note in small print."""
    kind = ' class="text"' if text else ""
    small = f"<small>{escape(note)}</small>" if note else ""
    return f"<td{kind}>{escape(value)}{small}</td>"


def table(
    head: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
    caption: str = "",
    text_columns: Sequence[int] = (),
) -> str:
    """A table.

    Args:
        head: Column headings.
        rows: Class of the row and its cells, made by `cell`.
        caption: Text above it.
        text_columns: Columns of words and not numbers.
    """
    headings = "".join(
        f'<th class="text">{escape(name)}</th>'
        if index in text_columns
        else f"<th>{escape(name)}</th>"
        for index, name in enumerate(head)
    )
    lines = ['<div class="wide"><table>']
    if caption:
        lines.append(f"<caption>{escape(caption)}</caption>")
    lines.append(f"<thead><tr>{headings}</tr></thead>\n<tbody>")
    for kind, cells in rows:
        attribute = f' class="{kind}"' if kind else ""
        lines.append(f"<tr{attribute}>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</tbody></table></div>"])


def preformatted(text: str) -> str:
    """Text set as it is, in one width."""
    return f"<pre>{escape(text)}</pre>"


def details(summary: str, *parts: str) -> str:
    """Something to open."""
    content = "\n".join(parts)
    return (
        f"<details>\n<summary>{escape(summary)}</summary>\n{content}\n"
        "</details>"
    )


def figure(drawn: Any, prefix: str, label: str) -> str:
    """A matplotlib figure as inline SVG, with real text.

    Args:
        drawn: A `matplotlib.figure.Figure`.
        prefix: Put before its ids, which must differ between figures.
        label: What a screen reader says.
    """
    import matplotlib

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    settings = {"svg.fonttype": "none", "svg.hashsalt": prefix}
    with matplotlib.rc_context(settings):
        drawn.savefig(buffer, format="svg", metadata=nothing, dpi=110)
    text = buffer.getvalue()
    text = _METADATA.sub("", text[text.index("<svg") :])
    text = _NAMESPACES.sub("", text)
    for pattern, form in _IDS:
        text = pattern.sub(form.format(prefix), text)
    label = escape(label)
    start = f'<svg role="img" aria-label="{label}"'
    return f"<figure>{text.replace('<svg', start, 1)}</figure>"
