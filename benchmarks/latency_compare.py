"""Results of `pixelos bench` side by side: one page that opens offline, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure

from benchmarks.cost import Line, line_through
from benchmarks.page import heading, markdown, page, plot, table
from benchmarks.result_forms import Bench, Scenario, read_bench
from engine.errors import InputError

STAGES = ("desktop", "embed", "encode", "denoise", "decode", "check", "publish")
Table = tuple[tuple[str, ...], list[tuple[str, ...]], frozenset[tuple[int, int]]]


def compared(paths: Sequence[Path]) -> tuple[bytes, bytes]:
    """The page and the Markdown, both UTF-8. One file is enough: then it is that run's report. Raises InputError."""
    if not paths:
        raise InputError("there is nothing to show; give files that pixelos bench wrote")
    results = [read_bench(path) for path in paths]
    names = _names(paths, results)
    title = "Frame latency" if len(results) > 1 else f"Frame latency: {results[0].title}"
    told = " · ".join(f"{name}: {_conditions(result)}" for name, result in zip(names, results, strict=True))
    tables = {"From an event to its pixels": _scenarios(names, results), "The whole": _whole(names, results)}
    if any(result.side_by_side for result in results):
        tables["The same trace, played several ways"] = _techniques(names, results)
    noise = [f"{name}: {why}" for name, result in zip(names, results, strict=True) for why in result.disturbed]
    warning = [heading("Disturbed", "; ".join(noise))] if noise else []
    parts = [part for words, shown in tables.items() for part in (heading(words, NOTES.get(words, "")), table(*shown))]
    pictures = [
        plot(drawn, words)
        for drawn, words in (
            (_bars(names, results), "Median and 95th percentile by scenario, milliseconds, logarithmic"),
            (_stages(names, results), "Where the time goes, by scenario"),
            (_histograms(names, results), "How often an event took how long"),
            (_by_damage(names, results), "Frames a second, and milliseconds, by how much of the frame is painted"),
            (_by_size(names, results), "Milliseconds of a whole frame by its number of pixels"),
        )
        if drawn
    ]
    lines = [f"# {title}", told, *([f"**Disturbed:** {'; '.join(noise)}"] if noise else []),
             *(f"## {words}\n\n{markdown(*shown)}" for words, shown in tables.items())]  # fmt: skip
    return page(title, told, *warning, *parts, heading("Drawn"), *pictures), ("\n\n".join(lines) + "\n").encode()


NOTES = {
    "From an event to its pixels": "Milliseconds from the event to the composited frame, through the painter's process: median / 95th "
    "percentile. In brackets, how many frames were painted anew; the others were looked up or not needed.",
    "The same trace, played several ways": "Median milliseconds an event, and how many times as fast as the first line.",
}


def _names(paths: Sequence[Path], results: Sequence[Bench]) -> list[str]:
    """Short ones that differ: the device, else the file as well."""
    short = [f"{_device(result)}, {result.checkpoint.name.removeprefix('random:')}" for result in results]
    return [name if short.count(name) == 1 else f"{path.stem}: {name}" for name, path in zip(short, paths, strict=True)]


def _device(result: Bench) -> str:
    checkpoint, machine = result.checkpoint, result.machine
    return f"{machine.cpu} ({machine.cores} cores)" if checkpoint.device == "cpu" else checkpoint.device


def _conditions(result: Bench) -> str:
    checkpoint = result.checkpoint
    weights = "RANDOM WEIGHTS" if result.random_weights else checkpoint.sha256[:12]
    return (f"{result.title}; {weights}, {result.mode}, {result.size[0]}x{result.size[1]}, {result.steps} "
            f"step{'s' * (result.steps != 1)}, torch {result.machine.torch}{', quick' * result.quick}")  # fmt: skip


def _scenarios(names: Sequence[str], results: Sequence[Bench]) -> Table:
    rows, bold = [], set()
    for r, scenario in enumerate(dict.fromkeys(name for result in results for name in result.scenarios)):
        found = [result.scenarios.get(scenario) for result in results]
        rows.append((scenario, *(_cell(one) for one in found)))
        sure = [one.p50 for one in found if one is not None and not one.wanders]
        if len(results) > 1 and sure:
            bold |= {(r, c) for c, one in enumerate(found, 1) if one is not None and not one.wanders and one.p50 == min(sure)}
    return ("scenario", *names), rows, frozenset(bold)


def _cell(scenario: Scenario | None) -> str:
    if scenario is None:
        return "–"
    if scenario.wanders:
        return f"too noisy (halves {scenario.wanders:.0%} apart)"
    return f"{scenario.p50:.1f} / {scenario.p95:.1f} ({scenario.painted})"


def _whole(names: Sequence[str], results: Sequence[Bench]) -> Table:
    def row(words: str, value: Any) -> tuple[str, ...]:
        return (words, *("–" if (v := value(result)) is None else f"{v:,.1f}" for result in results))

    rows = [
        row("start to first painted frame, s", lambda r: r.cold_start_s),
        row("memory of both processes, MB", lambda r: r.peak_rss_mb),
        row("GPU memory, MB", lambda r: r.peak_vram_mb),
        row("painter alone, whole frame, ms", lambda r: r.cost.by_damage[-1][1] if r.cost and r.cost.by_damage else None),
        row("painter alone, smallest crop, ms", lambda r: r.cost.by_damage[0][1] if r.cost and r.cost.by_damage else None),
        row("cost against damage: furthest from a line above the smallest crop, %", lambda r: line.off * 100 if (line := _line(r)) else None),
    ]
    return ("", *names), [r for r in rows if set(r[1:]) != {"–"}], frozenset()


def _line(result: Bench) -> Line | None:
    return line_through(result.cost.by_damage, result.cost.crops) if result.cost else None


def _techniques(names: Sequence[str], results: Sequence[Bench]) -> Table:
    ways = dict.fromkeys(way.name for result in results for way in result.side_by_side)
    rows = []
    for way in ways:
        found = [next((one for one in result.side_by_side if one.name == way), None) for result in results]
        rows.append((way, *("–" if one is None else f"{one.ms:.1f} ({one.gain:.1f}x)" for one in found)))
    return ("", *names), rows, frozenset()


def _bars(names: Sequence[str], results: Sequence[Bench]) -> bytes:
    scenarios = list(dict.fromkeys(name for result in results for name in result.scenarios))
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(results)
    for i, (name, result) in enumerate(zip(names, results, strict=True)):
        at = [s + i * width for s in range(len(scenarios))]
        found = [result.scenarios.get(s) for s in scenarios]
        axes.bar(at, [f.p95 if f else 0 for f in found], width * 0.95, color=_colour(i), alpha=0.35)
        axes.bar(at, [f.p50 if f else 0 for f in found], width * 0.95, color=_colour(i), label=name)
    axes.set_yscale("log")
    axes.set_xticks([s + 0.4 - width / 2 for s in range(len(scenarios))], scenarios)
    axes.set_ylabel("ms (pale: 95 %)")
    axes.legend(fontsize=8)
    return _png(figure)


def _stages(names: Sequence[str], results: Sequence[Bench]) -> bytes:
    figure = Figure(figsize=(10, 1.2 + 1.9 * len(results)), layout="constrained")
    for axes, name, result in zip(figure.subplots(len(results), 1, squeeze=False)[:, 0], names, results, strict=True):
        scenarios = list(result.scenarios)
        left = [0.0] * len(scenarios)
        for i, stage in enumerate(STAGES):
            times = [result.scenarios[s].stages.get(stage, 0.0) for s in scenarios]
            axes.barh(scenarios, times, left=left, color=_colour(i), label=stage)
            left = [a + b for a, b in zip(left, times, strict=True)]
        axes.invert_yaxis()
        axes.set_title(f"{name}: median milliseconds by stage", fontsize=9)
        axes.tick_params(labelsize=8)
    figure.axes[0].legend(fontsize=7, ncols=len(STAGES), loc="lower right")
    return _png(figure)


def _histograms(names: Sequence[str], results: Sequence[Bench]) -> bytes | None:
    shown = [s for s in ("typing", "hover", "drag", "full") if any(s in r.scenarios and r.scenarios[s].times for r in results)]
    if not shown:
        return None
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    for axes, scenario in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        for i, (name, result) in enumerate(zip(names, results, strict=True)):
            if scenario in result.scenarios and result.scenarios[scenario].times:
                axes.hist(result.scenarios[scenario].times, bins=30, color=_colour(i), alpha=0.6, label=name)
        axes.set_title(scenario, fontsize=9)
        axes.set_xlabel("ms", fontsize=8)
        axes.tick_params(labelsize=8)
    return _png(figure)


def _by_damage(names: Sequence[str], results: Sequence[Bench]) -> bytes | None:
    if not any(result.cost for result in results):
        return None
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, (name, result) in enumerate(zip(names, results, strict=True)):
        if result.cost:
            shares, times = zip(*result.cost.by_damage, strict=True)
            left.plot([100 * s for s in shares], [1e3 / t for t in times], "o-", color=_colour(i), label=name)
            right.plot([100 * s for s in shares], times, "o", color=_colour(i), label=name)
            if line := _line(result):
                right.plot([0, 100], [line.base, line.base + line.slope], "--", color=_colour(i), label=f"nearest line, {line.off:.0%} off at most")
    left.set_yscale("log")
    left.set_ylabel("frames a second")
    right.set_ylabel("ms")
    for axes in (left, right):
        axes.set_xlabel("% of the frame painted")
    right.legend(fontsize=8)
    return _png(figure)


def _by_size(names: Sequence[str], results: Sequence[Bench]) -> bytes | None:
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


def _colour(i: int) -> Any:
    return colormaps["tab10"](i % 10)


def _png(figure: Figure) -> bytes:
    data = BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return data.getvalue()
