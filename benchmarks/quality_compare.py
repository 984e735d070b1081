"""Evaluations side by side: one table for two or more checkpoints, as a page and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.page import heading, markdown, page, table
from benchmarks.quality_figures import FIGURES, Scores, best, conditions, title
from engine.errors import InputError

Bold = frozenset[tuple[int, int]]
Table = tuple[tuple[str, ...], list[tuple[str, ...]], Bold]


def read_scores(path: Path) -> Scores:
    """What `pixelos eval` wrote. Raises InputError for anything else."""
    try:
        scores = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; give a file that pixelos eval wrote") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}; give a file that pixelos eval wrote") from error
    try:
        _tables([title(scores) + conditions(scores)], [scores])
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__} {error}"
        raise InputError(f"{path} is no evaluation ({what}); give a file that pixelos eval wrote") from error
    return dict(scores)


def compared(paths: Sequence[Path]) -> tuple[bytes, bytes]:
    """The page and the Markdown, both UTF-8. Raises InputError for fewer than two files, or a wrong one."""
    if len(paths) < 2:
        raise InputError("there is nothing to compare; give two or more files that pixelos eval wrote")
    results = [read_scores(path) for path in paths]
    names = [f"{path.stem}: {title(scores)}" for path, scores in zip(paths, results, strict=True)]
    told = " · ".join(f"{name} ({conditions(scores)})" for name, scores in zip(names, results, strict=True))
    tables = _tables(names, results)
    parts = [part for words, shown in tables.items() for part in (heading(words), table(*shown))]
    lines = ["# Evaluations compared", told, *(f"## {w}\n\n{markdown(*shown)}" for w, shown in tables.items())]
    return page("Evaluations compared", told, *parts), ("\n\n".join(lines) + "\n").encode()


def _tables(names: Sequence[str], results: Sequence[Scores]) -> dict[str, Table]:
    return {"Figures": _figures(names, results), "By style": _styles(names, results), "By kind": _kinds(names, results)}


def _figures(names: Sequence[str], results: Sequence[Scores]) -> Table:
    rows, bold = [], set()
    for r, figure in enumerate(FIGURES):
        rows.append((figure.name, *(figure.shown(scores) for scores in results)))
        top = best(figure, results)
        bold |= {(r, c + 1) for c, scores in enumerate(results) if top is not None and figure.find(scores) == top}
    return ("", *names), rows, frozenset(bold)


def _styles(names: Sequence[str], results: Sequence[Scores]) -> Table:
    """PSNR to the source, SSIM, and characters wrong where they were read."""
    rows = []
    for style in dict.fromkeys(style for scores in results for style in scores["style"]):
        cells = []
        for scores in results:
            look, text = scores["style"].get(style), scores["text"]["by_style"].get(style)
            told = [f"{look['psnr_db']:.1f} dB"] if look else []
            told += [f"SSIM {look['ssim']:.3f}"] if look and "ssim" in look else []
            told += [f"{text['cer_unrepaired']:.2%} wrong"] if text else []
            cells.append(", ".join(told) or "–")
        rows.append((style, *cells))
    return ("style", *names), rows, frozenset()


def _kinds(names: Sequence[str], results: Sequence[Scores]) -> Table:
    """Kinds of transition that not all got right everywhere, in the table's order."""
    counted = [scores["transitions"].get("by_kind", {}) for scores in results]
    rows = []
    for kind in dict.fromkeys(kind for kinds in counted for kind in kinds):
        known = [kinds.get(kind) for kinds in counted]
        if any(n and n["right"] < n["events"] for n in known):
            rows.append((kind, *(f"{n['right']} of {n['events']}" if n else "–" for n in known)))
    return ("kind", *names), rows or [("none was wrong", *("" for _ in names))], frozenset()
