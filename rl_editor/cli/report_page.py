"""One HTML page that needs nothing beside it: pictures and sounds are in it, and it loads nothing."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; }
figure { margin: 1rem 0; }
figcaption { font-size: .9rem; opacity: .8; }
img { max-width: 100%; background: #fff; }
audio { width: 100%; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .92rem; }
th, td { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: .6rem .8rem; background: #8881; font-size: .85rem; }
"""


@dataclass(frozen=True)
class Table:
    """Rows of text below their heads."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    """Columns that hold numbers."""

    def html(self) -> str:
        """As HTML; "" where there are no rows."""
        if not self.rows:
            return ""
        heads = "".join(f"<th>{escape(head)}</th>" for head in self.heads)
        rows = "".join(f"<tr>{''.join(self._cell(n, text) for n, text in enumerate(row))}</tr>\n" for row in self.rows)
        return f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"

    def _cell(self, column: int, text: str) -> str:
        return f"<td{' class=number' if column in self.numbers else ''}>{escape(text)}</td>"


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page of parts that are HTML already."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f"{''.join(parts)}</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """The heading of a section."""
    return f"<h2>{escape(text)}</h2>\n"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>\n"


def command(words: str) -> str:
    """A command line to copy."""
    return f"<pre><code>{escape(words)}</code></pre>\n"


def folded(summary: str, html: str) -> str:
    """A part that is opened by a click; "" where there is nothing in it."""
    return f"<details>\n<summary>{escape(summary)}</summary>\n{html}</details>\n" if html else ""


def image(png: bytes, caption: str) -> str:
    """A picture with what it shows."""
    shown = f'<img alt="{escape(caption)}" src="{_data("image/png", png)}">'
    return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>\n"


def sound(mp3: bytes, caption: str) -> str:
    """A sound to listen to, with what it is."""
    heard = f'<audio controls preload="metadata" src="{_data("audio/mpeg", mp3)}"></audio>'
    return f"<figure>{heard}<figcaption>{escape(caption)}</figcaption></figure>\n"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
