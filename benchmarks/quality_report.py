"""The page beside an evaluation's JSON: the worst cases first, then every figure, by kind and by style, and plots."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import Any

import numpy as np

from benchmarks.page import heading, page, picture, plot, table
from benchmarks.pictures_compared import around
from benchmarks.quality import Evaluation
from benchmarks.quality_figures import FIGURES, Scores, conditions, title
from benchmarks.transitions import Judged

LOUD = 3  # by which differences are shown louder than they are
_WORST = (
    "Of every transition judged, those where the painting was furthest from the picture after the event, wrong ones first. "
    "The difference between painted and source is shown three times as strong."
)


def quality_page(evaluation: Evaluation) -> bytes:
    """The whole page, self-contained, UTF-8."""
    scores = evaluation.scores
    return page(
        f"Evaluation of {title(scores)}",
        conditions(scores),
        heading("Worst cases", _WORST),
        *(_case(outcome) for outcome in evaluation.worst),
        heading("Figures"),
        table(("", "value"), [(figure.name, figure.shown(scores)) for figure in FIGURES]),
        heading("By style"),
        style_table(scores),
        plot(_style_plot(scores), "PSNR to the source's frames and character error rate, by style"),
        heading("Over a session"),
        plot(_drift_plot(scores), "PSNR over a session"),
        heading("By kind of transition"),
        kind_table(scores),
    )


def pictures_of(outcome: Judged) -> dict[str, np.ndarray]:
    """Before, source after, painted, difference: the surroundings of the source's damage, uint8 (h, w, 3)."""
    part = around(outcome.where).slices
    before, after, painted = (frame[part] for frame in (outcome.before, outcome.after, outcome.painted))
    apart = np.abs(painted.astype(np.int16) - after) * LOUD
    return {"before": before, "source after": after, "painted": painted, "difference": apart.clip(0, 255).astype(np.uint8)}


def _case(outcome: Judged) -> str:
    cells = "".join(f"<div>{picture(pixels, words)}<figcaption>{words}</figcaption></div>" for words, pixels in pictures_of(outcome).items())
    verdict = '<span class="right">right</span>' if outcome.right else '<span class="wrong">wrong</span>'
    told = f"{outcome.own:.1f} grey levels from the source, {outcome.rival:.1f} from the nearest of {outcome.rivals} rivals"
    return (
        f"<figure><figcaption><b>{escape(outcome.kind)}</b> ({escape(outcome.style)}): {verdict}, {told}</figcaption>"
        f"<div>{cells}</div></figure>"
    )


def style_table(scores: Scores) -> str:
    """Text, PSNR, SSIM, distances and contrast of every style looked at."""
    texts, contrasts = scores["text"]["by_style"], scores.get("contrast", {"by_style": {}})["by_style"]
    rows = []
    for name in dict.fromkeys((*scores["style"], *texts)):
        look, text = scores["style"].get(name), texts.get(name)
        kind = "–" if look is None else "flat" if look.get("flat") else "textured"
        seen: tuple[str, ...] = ("–",) * 4
        if look is not None:
            seen = (f"{look['psnr_db']:.1f} dB", _number(look.get("ssim")), f"{look['own']:.2f}", f"{look['other']:.2f}")
        read: tuple[str, ...] = ("–",) * 4
        if text is not None:
            rates = (f"{text[key]:.2%}" for key in ("cer_guide", "cer_unrepaired", "cer"))
            read = (str(text["characters"]), *rates)
        rows.append((name, kind, *seen, *read, f"{contrasts[name]['least']:.2f}" if name in contrasts else "–"))
    head = ("style", "kind", "PSNR", "SSIM", "own distance", "nearest other", "characters", "wrong in the guide",
            "wrong painted", "wrong repaired", "least contrast")  # fmt: skip
    return table(head, rows)


def kind_table(scores: Scores) -> str:
    """Every kind of transition, the worst first."""
    kinds: dict[str, dict[str, int]] = scores["transitions"].get("by_kind", {})
    ordered = sorted(kinds.items(), key=lambda item: item[1]["right"] / item[1]["events"])
    rows = [(kind, f"{n['right']} of {n['events']}", f"{n['right'] / n['events']:.0%}") for kind, n in ordered]
    return table(("kind", "right", "share"), rows)


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.4f}"


def _style_plot(scores: Scores) -> bytes:
    looks, texts = scores["style"], scores["text"]["by_style"]
    figure, (left, right) = _axes(2)
    names = list(looks)
    colours = ["#4878d0" if looks[name].get("flat") else "#ee854a" for name in names]
    left.barh(names, [looks[name]["psnr_db"] for name in names], color=colours)
    left.set_title("PSNR to the source, dB (blue: flat, orange: textured)", fontsize=9)
    places = np.arange(len(texts))
    for shift, key, label in ((-0.25, "cer_guide", "guide"), (0, "cer_unrepaired", "painted"), (0.25, "cer", "repaired")):
        right.barh(places + shift, [100 * text[key] for text in texts.values()], 0.25, label=label)
    right.set_yticks(places, list(texts))
    right.set_title("characters wrong, per cent", fontsize=9)
    right.legend(fontsize=8)
    return _png(figure)


def _drift_plot(scores: Scores) -> bytes:
    drift = scores["drift"]
    dream = scores["mode"] == "dream"
    figure, (axes,) = _axes(1)
    along: Sequence[float] = drift["seconds"] if dream and "seconds" in drift else drift["steps"]
    lines = (("psnr_db", "painted to a fresh painting"), ("psnr_to_source_db", "painted to the source"),
             ("fresh_to_source_db", "a fresh painting to the source"))  # fmt: skip
    for key, label in lines:
        if key in drift:
            axes.plot(along, drift[key], marker="o", label=label)
    if not dream and len(along) > 1:
        axes.set_xscale("log")
    axes.set_xlabel("seconds of the dream" if dream else "painted frames", fontsize=9)
    axes.set_ylabel("dB", fontsize=9)
    axes.legend(fontsize=8)
    return _png(figure)


def _axes(count: int) -> tuple[Any, Sequence[Any]]:
    """A figure that no window toolkit is asked for."""
    from matplotlib.figure import Figure

    figure = Figure((5.4 * count, 3.6), dpi=96, layout="constrained")
    axes = [figure.add_subplot(1, count, i + 1) for i in range(count)]
    for one in axes:
        one.tick_params(labelsize=8)
        one.grid(alpha=0.3)
    return figure, axes


def _png(figure: Any) -> bytes:
    data = BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()
