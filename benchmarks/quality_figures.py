"""The figures of an evaluation as rows of a table: what each is called, where it stands, how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Scores = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """find: the value in the scores, None where there is none; better: +1 if more is better, -1 if less, 0 neither."""

    name: str
    find: Callable[[Scores], float | None]
    write: Callable[[float], str]
    better: int

    def shown(self, scores: Scores) -> str:
        value = self.find(scores)
        return "–" if value is None else self.write(value)


def _at(*path: str | int) -> Callable[[Scores], float | None]:
    def find(scores: Scores) -> float | None:
        value: Any = scores
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    return find


def _lost(scores: Scores) -> float | None:
    """dB that the frame at the session's end is further from the source than a fresh painting is."""
    fresh, kept = _at("drift", "fresh_to_source_db", -1)(scores), _at("drift", "psnr_to_source_db", -1)(scores)
    return None if fresh is None or kept is None else fresh - kept


def _share(value: float) -> str:
    return f"{value:.1%}"


def _rate(value: float) -> str:
    return f"{value:.2%}"


def _db(value: float) -> str:
    return f"{value:.1f} dB"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


FIGURES: tuple[Figure, ...] = (
    Figure("Characters wrong, repaired", _at("text", "cer"), _rate, -1),
    Figure("Characters wrong, not repaired", _at("text", "cer_unrepaired"), _rate, -1),
    Figure("Characters wrong in the guide itself", _at("text", "cer_guide"), _rate, 0),
    Figure("Characters read", _at("text", "characters"), _whole, 0),
    Figure("Contrast of text, at least", _at("contrast", "least"), "{:.2f}:1".format, 1),
    Figure("Transitions right", _at("transitions", "accuracy"), _share, 1),
    Figure("Kinds of transition", _at("transitions", "kinds"), _whole, 0),
    Figure("Transitions judged", _at("transitions", "events"), _whole, 0),
    Figure("PSNR, flat styles", _at("pictures", "flat", "psnr_db"), _db, 1),
    Figure("PSNR, textured styles", _at("pictures", "textured", "psnr_db"), _db, 1),
    Figure("SSIM, flat styles", _at("pictures", "flat", "ssim"), "{:.4f}".format, 1),
    Figure("SSIM, textured styles", _at("pictures", "textured", "ssim"), "{:.4f}".format, 1),
    Figure("Pixels changed outside the damage", _at("untouched", "pixels"), _whole, -1),
    Figure("Frames of the session", _at("drift", "steps", -1), _whole, 0),
    Figure("At its end, from a fresh painting", _at("drift", "psnr_db", -1), _db, 1),
    Figure("At its end, from the source", _at("drift", "psnr_to_source_db", -1), _db, 1),
    Figure("Lost since a fresh painting", _lost, "{:.2f} dB".format, -1),
    Figure("Still there", _at("persistency", "share"), _share, 1),
    Figure("Seconds taken", _at("seconds"), _whole, 0),
)


def best(figure: Figure, all_scores: Iterable[Scores]) -> float | None:
    """The best value of several evaluations; None where none is better than another."""
    values = [value for value in map(figure.find, all_scores) if value is not None]
    if not figure.better or len(set(values)) < 2:
        return None
    return max(values) if figure.better > 0 else min(values)


def title(scores: Scores) -> str:
    """Which checkpoint this is, in which mode."""
    checkpoint = scores["checkpoint"]
    return f"{checkpoint['name']} {str(checkpoint.get('sha256', ''))[:8]}".strip() + f", {scores['mode']}"


def conditions(scores: Scores) -> str:
    """Under what conditions it was measured, in one line."""
    width, height = scores["size"]
    steps = scores["steps"]
    plural = "s" * (steps != 1)
    quick = "a quick look" if scores["quick"] else "all of it"
    without = "".join(f", without {part}" for part in scores.get("without", ()))  # which was not always told
    return f"{width}x{height}, {steps} step{plural}, {scores['device']}, {scores['dtype']}, seed {scores['seed']}, {quick}{without}"
