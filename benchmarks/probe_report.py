"""The page beside a probe's JSON: what was found, part by part, in words, figures and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from benchmarks.page import heading, page, picture, table
from benchmarks.probe_result import Part, ProbeResult

TITLES = {
    "safety": ("Is it safe and whole?", "Looked over in a process of its own, row by row, before anything was opened."),
    "equality": ("Is it what the stock pipeline paints?", "The whole frame, same weights, seed and settings; differences in a range of 1."),
    "untouched": ("Does the rest stay as it was?", "A rect of 64 by 64 pixels was painted."),
    "legibility": ("Can it be read?", "A page of Notes, read by Tesseract; the share of characters that are wrong."),
    "demo": ("The demo", "The trace that comes with Pixel OS; a slow machine plays its beginning only."),
    "latency": ("How fast is it?", "From an event to the composited frame, through the painter's process, in milliseconds."),
}
WORDS = {"cer": "wrong once glyphs are repaired", "cer_guide": "wrong in the guide", "cer_unrepaired": "wrong as painted",
         "largest": "largest difference", "mean": "mean difference", "equal": "equal, up to 1e-4", "stock": "stock pipeline", "loaded_by": "its networks were loaded by",
         "p50_ms": "painting a step, median, ms", "p95_ms": "painting a step, 95th in a hundred, ms"}  # fmt: skip
Pictures = Sequence[tuple[str, str, np.ndarray]]


def probe_page(found: ProbeResult, pictures: Pictures) -> bytes:
    """Self-contained, UTF-8."""
    checkpoint, machine = found.checkpoint, found.machine
    gpus = ", ".join(gpu["name"] for gpu in machine.get("gpus", ())) or "no GPU"
    loras = "".join(f", {lora['name']} {lora['weight']:g}" for lora in checkpoint.loras)
    under = (
        f"{checkpoint.family}{loras}, {checkpoint.parameters / 1e6:.1f} M parameters, SHA-256 {checkpoint.sha256[:12] or 'unknown'}; {found.mode}, "
        f"{found.size[0]}x{found.size[1]}, {checkpoint.steps} step{'s' * (checkpoint.steps != 1)}, {checkpoint.dtype or '-'} on {checkpoint.device or '-'}; "
        f"{machine['cpu']}, {gpus}, torch {machine['torch']}"
    )
    parts = [text for name, part in found.parts.items() for text in _part(name, part, pictures)]
    return page(f"{checkpoint.name}: what was found", under, *parts)


def _part(name: str, part: Part, pictures: Pictures) -> list[str]:
    title, note = TITLES[name]
    told = [heading(title, note)]
    if part.state != "done":
        told.append(f'<p class="wrong">{escape(part.state)}: {escape(part.why)}</p>')
    rows = _rows(name, part.figures)
    if rows:
        told.append(table(rows[0], rows[1:]))
    if shown := [(words, pixels) for of, words, pixels in pictures if of == name]:
        cells = "".join(f"<div>{picture(pixels, words)}<figcaption>{escape(words)}</figcaption></div>" for words, pixels in shown)
        told.append(f"<figure><div>{cells}</div></figure>")
    return told


def _rows(name: str, figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """A head and lines for a part's figures; none where nothing was found."""
    if not figures:
        return []
    if name == "safety":
        return [("", "found"), *((row, state) for row, state in figures["rows"].items()), *(("note", note) for note in figures["notes"])]
    if name == "latency":
        keys = ("p50", "p95", "max", "painted", "cached")
        lines = [(scenario, *(f"{values[key]:g}" for key in keys)) for scenario, values in figures["scenarios"].items()]
        return [("", *keys), *lines, ("first painted frame, s", f"{figures['cold_start_s']:g}"), *(("disturbed", why) for why in figures["disturbed"])]
    return [("", "found"), *((WORDS.get(key, key.replace("_", " ")), _said(key, value)) for key, value in figures.items() if not isinstance(value, dict))]


def _said(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.startswith("cer"):
        return f"{value:.1%}"
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}") if isinstance(value, float) else str(value)
