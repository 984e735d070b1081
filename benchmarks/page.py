"""HTML pages that need nothing but themselves: tables, pictures as data URIs, one plain style sheet."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

_LOOK = """
:root { color-scheme: light dark; --line: #8884; --quiet: #777; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p.quiet, figcaption, td.quiet { color: var(--quiet); } p.quiet { margin-top: .2rem; }
table { border-collapse: collapse; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 0 0 1.4rem; } figure > div { display: grid; grid-template-columns: repeat(4, 1fr); gap: .5rem; }
figure img { width: 100%; display: block; border: 1px solid var(--line); image-rendering: pixelated; }
img.plot { max-width: 100%; background: #fff; } .wrong { color: #c33; font-weight: 600; } .right { color: #293; }
@media (max-width: 700px) { figure > div { grid-template-columns: repeat(2, 1fr); } }
"""


def page(title: str, under: str, *parts: str) -> bytes:
    """A whole HTML document, UTF-8."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = f'<h1>{escape(title)}</h1><p class="quiet">{escape(under)}</p>' + "\n".join(parts)
    return f"<!doctype html><html lang=\"en\">{head}<style>{_LOOK}</style><body>{body}</body></html>\n".encode()


def heading(text: str, note: str = "") -> str:
    return f"<h2>{escape(text)}</h2>" + (f'<p class="quiet">{escape(note)}</p>' if note else "")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], bold: frozenset[tuple[int, int]] = frozenset()) -> str:
    """The first column is text, the others are numbers; `bold` holds (row, column)."""
    cells = "".join(f'<th{" class=n" * (i > 0)}>{escape(text)}</th>' for i, text in enumerate(head))
    lines = [f"<tr>{cells}</tr>"]
    for r, row in enumerate(rows):
        shown = [f"<b>{escape(text)}</b>" if (r, c) in bold else escape(text) for c, text in enumerate(row)]
        lines.append("<tr>" + "".join(f'<td{" class=n" * (c > 0)}>{text}</td>' for c, text in enumerate(shown)) + "</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], bold: frozenset[tuple[int, int]] = frozenset()) -> str:
    """The same table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for r, row in enumerate(rows):
        cells = [text.replace("|", "\\|") for text in row]
        lines.append("| " + " | ".join(f"**{t}**" if (r, c) in bold else t for c, t in enumerate(cells)) + " |")
    return "\n".join(lines)


def picture(pixels: np.ndarray, words: str) -> str:
    """uint8 (H, W, 3) as an inlined WebP, without loss where that is small."""
    data = BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(data, "WEBP", lossless=True)
    if data.tell() > 24_000:
        data = BytesIO()
        image.save(data, "WEBP", quality=82)
    return f'<img alt="{escape(words)}" src="{_uri("webp", data.getvalue())}">'


def plot(png: bytes, words: str) -> str:
    return f'<img class="plot" alt="{escape(words)}" src="{_uri("png", png)}">'


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
