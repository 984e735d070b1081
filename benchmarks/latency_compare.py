"""Results of `pixelos bench` side by side: one page that opens offline, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency_plots import bars, by_damage, by_size, histograms, line_of, stages
from benchmarks.page import heading, markdown, page, plot, table
from benchmarks.result_forms import Bench, Conditions, Scenario, read_bench
from engine.errors import InputError

Table = tuple[tuple[str, ...], list[tuple[str, ...]], frozenset[tuple[int, int]]]


def compared(paths: Sequence[Path]) -> tuple[bytes, bytes]:
    """The page and the Markdown, both UTF-8. One file is enough: then it is that run's report. Raises InputError."""
    if not paths:
        raise InputError("there is nothing to show; give files that pixelos bench wrote")
    results = [read_bench(path) for path in paths]
    names = _names(paths, results)
    title = _title(results)
    told = " · ".join(f"{name}: {_conditions(result)}" for name, result in zip(names, results, strict=True))
    tables = {"From an event to its pixels": _scenarios(names, results), "The whole": _whole(names, results), "Meanwhile": _meanwhile(names, results)}
    if any(result.side_by_side for result in results):
        tables["The same trace, played several ways"] = _techniques(names, results)
    noise = [f"{name}: {why}" for name, result in zip(names, results, strict=True) for why in result.noise]
    warning = [heading("Disturbed", "; ".join(noise))] if noise else []
    parts = [part for words, shown in tables.items() for part in (heading(words, NOTES.get(words, "")), table(*shown))]
    pictures = [
        plot(drawn, words)
        for drawn, words in (
            (bars(names, results), "Median and 95th percentile by scenario, milliseconds, logarithmic"),
            (stages(names, results), "Where the time goes, by scenario"),
            (histograms(names, results), "How often an event took how long"),
            (by_damage(names, results), "Frames a second, and milliseconds, by how much of the frame is painted"),
            (by_size(names, results), "Milliseconds of a whole frame by its number of pixels"),
        )
        if drawn
    ]
    lines = [f"# {title}", told, *([f"**Disturbed:** {'; '.join(noise)}"] if noise else []),
             *(f"## {words}\n\n{markdown(*shown)}" for words, shown in tables.items())]  # fmt: skip
    return page(title, told, *warning, *parts, heading("Drawn"), *pictures), ("\n\n".join(lines) + "\n").encode()


NOTES = {
    "From an event to its pixels": "Milliseconds from the event to the composited frame, through the painter's process: median / 95th "
    "percentile. In brackets, how many frames were painted anew; the others were looked up or not needed.",
    "Meanwhile": "What the times above were measured under.",
    "The same trace, played several ways": "Median milliseconds an event, how many times as fast as the first line, the lowest and the highest of the rounds, and whether "
    "that is another than ours: where the rounds of the two overlap, no difference was measured.",
}


def _title(results: Sequence[Bench]) -> str:
    if len(results) == 1:
        return f"Frame latency: {results[0].title}"
    random = dict.fromkeys(result.checkpoint.name.removeprefix("random:") for result in results if result.random_weights)
    return "Frame latency" + (f", RANDOM WEIGHTS: {', '.join(random)}" if random else "")


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

    def alone(result: Bench, which: int) -> float | None:
        cost = result.cost
        return cost.by_damage[which][1] if cost and cost.by_damage else None

    rows = [
        row("start to first painted frame, s", lambda r: r.cold_start_s),
        row("memory of both processes, MB", lambda r: r.peak_rss_mb),
        row("GPU memory, MB", lambda r: r.peak_vram_mb),
        row("painter alone, whole frame, ms", lambda r: alone(r, -1)),
        row("painter alone, smallest crop, ms", lambda r: alone(r, 0)),
        row("cost against damage: furthest from a line above the smallest crop, %", lambda r: line.off * 100 if (line := line_of(r)) else None),
    ]
    return ("", *names), [r for r in rows if set(r[1:]) != {"–"}], frozenset()


def _meanwhile(names: Sequence[str], results: Sequence[Bench]) -> Table:
    known = [told_of(result) for result in results]
    rows = [(what, *(one.get(what, "–") for one in known)) for what in dict.fromkeys(what for one in known for what in one)]
    return ("", *names), rows, frozenset()


def told_of(result: Bench) -> dict[str, str]:
    """What is known of how it was measured, in words."""
    saw = result.conditions or Conditions()
    driver = next((gpu.driver for gpu in result.machine.gpus if gpu.name == result.checkpoint.device), None)
    told = {
        "compiling, s": result.compile_s, "getting ready, s": result.ready_s, "first frame once it was open, s": result.first_frame_s,
        "GPU clock, MHz": saw.gpu_clock_mhz, "GPU, °C at most": saw.gpu_temperature_c, "GPU, energy, J": result.energy_j, "driver": driver,
        "CPU clock, MHz": saw.cpu_mhz, "CPU, widest instructions": result.machine.instructions or None, "other programs, cores": saw.background_cores,
        "the trace": result.played and str(result.played), "left out by --quick": ", ".join(result.left_out) or None,
    }  # fmt: skip
    return {what: _shown(value) for what, value in told.items() if value is not None}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(f"{number:.0f}" for number in dict.fromkeys(value))
    return value if isinstance(value, str) else f"{value:,.4g}"


def _techniques(names: Sequence[str], results: Sequence[Bench]) -> Table:
    ways = dict.fromkeys(way.name for result in results for way in result.side_by_side)
    rows = [(way, *(_technique(result, way) for result in results)) for way in ways]
    return ("", *names), rows, frozenset()


def _technique(result: Bench, name: str) -> str:
    found = {way.name: way for way in result.side_by_side}
    way = found.get(name)
    if way is None:
        return "–"
    spread = f", {way.spread[0]:.1f} to {way.spread[1]:.1f}" if way.spread and len(set(way.spread)) > 1 else ""
    beside = way.beside(found.get("ours")) if name.startswith("ours") else ""
    return f"{way.ms:.1f} ({way.gain:.1f}x{spread}{'; no difference' * (beside == 'no difference')})"
