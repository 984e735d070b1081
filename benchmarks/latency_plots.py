"""What the results of `pixelos bench` look like, drawn: PNG bytes, and None where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.cost import Line, line_through
from benchmarks.result_forms import Bench

STAGES = ("desktop", "embed", "encode", "denoise", "decode", "check", "publish")


def line_of(result: Bench) -> Line | None:
    """The line nearest to what painting costs by damage."""
    return line_through(result.cost.by_damage, result.cost.crops) if result.cost else None


def bars(names: Sequence[str], results: Sequence[Bench]) -> bytes:
    scenarios = list(dict.fromkeys(name for result in results for name in result.scenarios))
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(results)
    for i, (name, result) in enumerate(zip(names, results, strict=True)):
        at = [s + i * width for s in range(len(scenarios))]
        found = [result.scenarios.get(s) for s in scenarios]
        axes.bar(at, [f.p95 if f else 0 for f in found], width * 0.95, color=_colour(i), alpha=0.35)
        drawn = axes.bar(at, [f.p50 if f else 0 for f in found], width * 0.95, color=_colour(i), label=name)
        hatched(drawn.patches, [f is not None and f.wanders > 0 for f in found])
    axes.set_yscale("log")
    axes.set_xticks([s + 0.4 - width / 2 for s in range(len(scenarios))], scenarios)
    axes.set_ylabel("ms (pale: 95 %; hatched: too noisy)")
    axes.legend(fontsize=8)
    return _png(figure)


def stages(names: Sequence[str], results: Sequence[Bench]) -> bytes:
    figure = Figure(figsize=(10, 1.2 + 1.9 * len(results)), layout="constrained")
    for axes, name, result in zip(figure.subplots(len(results), 1, squeeze=False)[:, 0], names, results, strict=True):
        scenarios = list(result.scenarios)
        left = [0.0] * len(scenarios)
        for i, stage in enumerate(STAGES):
            times = [result.scenarios[s].stages.get(stage, 0.0) for s in scenarios]
            drawn = axes.barh(scenarios, times, left=left, color=_colour(i), label=stage)
            hatched(drawn.patches, [result.scenarios[s].wanders > 0 for s in scenarios])
            left = [a + b for a, b in zip(left, times, strict=True)]
        axes.invert_yaxis()
        axes.set_title(f"{name}: median milliseconds by stage (hatched: too noisy)", fontsize=9)
        axes.tick_params(labelsize=8)
    figure.axes[0].legend(fontsize=7, ncols=len(STAGES), loc="lower right")
    return _png(figure)


def histograms(names: Sequence[str], results: Sequence[Bench]) -> bytes | None:
    """Of scenarios that were not too noisy."""
    sure = [{name: s.times for name, s in result.scenarios.items() if s.times and not s.wanders} for result in results]
    shown = [s for s in ("typing", "hover", "drag", "full") if any(s in times for times in sure)]
    if not shown:
        return None
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    for axes, scenario in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        for i, (name, times) in enumerate(zip(names, sure, strict=True)):
            if scenario in times:
                axes.hist(times[scenario], bins=30, color=_colour(i), alpha=0.6, label=name)
        axes.set_title(scenario, fontsize=9)
        axes.set_xlabel("ms", fontsize=8)
        axes.tick_params(labelsize=8)
    return _png(figure)


def by_damage(names: Sequence[str], results: Sequence[Bench]) -> bytes | None:
    if not any(result.cost for result in results):
        return None
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, (name, result) in enumerate(zip(names, results, strict=True)):
        if result.cost:
            shares, times = zip(*result.cost.by_damage, strict=True)
            left.plot([100 * s for s in shares], [1e3 / t for t in times], "o-", color=_colour(i), label=name)
            off = [t * s / 2 for t, s in zip(times, result.cost.damage_spread or [0.0] * len(times), strict=True)]
            right.errorbar([100 * s for s in shares], times, off, fmt="o", capsize=3, color=_colour(i), label=name)
            if line := line_of(result):
                right.plot([0, 100], [line.base, line.base + line.slope], "--", color=_colour(i), label=f"nearest line, {line.off:.0%} off at most")
    left.set_yscale("log")
    left.set_ylabel("frames a second")
    right.set_ylabel("ms")
    for axes in (left, right):
        axes.set_xlabel("% of the frame painted")
    right.legend(fontsize=8)
    return _png(figure)


def by_size(names: Sequence[str], results: Sequence[Bench]) -> bytes | None:
    if not any(result.cost and len(result.cost.by_size) > 1 for result in results):
        return None
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    for i, (name, result) in enumerate(zip(names, results, strict=True)):
        if result.cost:
            axes.plot([w * h / 1e6 for w, h, _ in result.cost.by_size], [ms for *_, ms in result.cost.by_size], "o-", color=_colour(i), label=name)
    axes.set_xlabel("million pixels a frame")
    axes.set_ylabel("ms")
    axes.legend(fontsize=8)
    return _png(figure)


def hatched(drawn: Iterable[Patch], which: Iterable[bool]) -> None:
    """Of what was drawn, mark those that nothing is to be read from."""
    for patch, marked in zip(drawn, which, strict=True):
        if marked:
            patch.set_hatch("////")
            patch.set_alpha(0.3)


def _colour(i: int) -> Any:
    return colormaps["tab10"](i % 10)


def _png(figure: Figure) -> bytes:
    data = BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return data.getvalue()
