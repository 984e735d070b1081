"""Writes the measured figures of README and docs from the files in benchmarks/results, between the two marks of each page."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from score_tables import blotted, dream_figures, painted_by, quality_table, sampling

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "benchmarks" / "results"
START, END = "<!-- figures -->", "<!-- end of figures -->"


def main() -> int:
    for name, figures in figured().items():
        page = ROOT / name
        head, _, rest = page.read_text("utf-8").partition(START)
        _, mark, tail = rest.partition(END)
        if not mark:
            print(f"{name} has no {START} ... {END}; put them where the figures belong", file=sys.stderr)
            return 2
        page.write_text(f"{head}{START}\n{figures}\n{END}{tail}", "utf-8")
    return 0


def figured() -> dict[str, str]:
    """By page, the figures that the results hold, to stand between its marks."""
    return {"README.md": _readme(), "docs/sharing.md": painting_ahead(_result("speculation")), "docs/benchmarks.md": seams(_result("seams"))}


def _result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def _result_if_any(name: str) -> dict[str, Any] | None:
    """What need not have been measured yet."""
    return _result(name) if (RESULTS / f"{name}.json").is_file() else None


@cache
def shipped() -> str:
    """SHA-256 of the weights that ship."""
    from models.loading import load_bundled

    return load_bundled(ROOT / "models" / "bundled", "bundled").sha256


def headline(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, the first that is of the weights that ship before the others."""
    return sorted(results, key=lambda result: result["checkpoint"]["sha256"] != shipped())


def weights_of(result: dict[str, Any]) -> str:
    """Name and weights; of the bundled checkpoint whether they are those that ship."""
    checkpoint = result["checkpoint"]
    before = ", weights before" if checkpoint["family"] == "bundled" and checkpoint["sha256"] != shipped() else ""
    return f"{checkpoint['name']} ({checkpoint['sha256'][:12]}{before})"


def _readme() -> str:
    names = ("latency-h100", "latency-h100-sd-turbo", "latency-sd-mini", "quality", "dream", "latency-dream", "presenting", "swap", "refusals")
    gpu, turbo, mini, quality, dream, dreamt, shown, swapped, refused = map(_result, names)
    first, *others = headline([_result("latency"), _result("latency-float32")])
    real = [_result(path.stem) for path in sorted(RESULTS.glob("latency-h100-*.json"))]
    return "\n".join((
        latency_table(first), techniques(first), latency_table(gpu), techniques(gpu), preset(turbo), techniques(turbo), presets(*real), preset(mini), techniques(mini), quality_table(quality), sampling(_result("sampling-steps")), blotted(_result("blots")),
        dream_figures(dream, _result_if_any("dream-rules")),
        brief(dreamt, "Latency of a dream, as above"), *(brief(other, "The first table's again, guided, on another host") for other in others),
        presenting(shown), swaps(swapped), refusals(refused),
    ))  # fmt: skip


def latency_table(result: dict[str, Any]) -> str:
    """Latency by scenario, with machine, mode and checkpoint."""
    machine, checkpoint = result["machine"], result["checkpoint"]
    gpu = "" if checkpoint["device"] == "cpu" else f"{checkpoint['device']} beside "
    disturbed = f" Meanwhile {'; '.join(result['disturbed'])}." if result["disturbed"] else ""
    lines = [
        f"Latency: {gpu}{_processor(machine)}, {machine['cores']} cores, torch {machine['torch']}, {checkpoint['dtype']}; checkpoint "
        f"{weights_of(result)}, {result['mode']}, {result['size'][0]}x{result['size'][1]}, "
        f"{result['steps']} step.{disturbed} From the event to the composited frame, through the child process, in milliseconds; "
        "“answer” is how long until the window goes on.",
        "",
        "| scenario | p50 | p95 | max | painted | cached | share of the frame | answer p95 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, s in result["scenarios"].items():
        if s["wanders"]:
            lines.append(f"| {name} | too noisy | | | {s['painted']} | {s['cached']} | {s['dirty_share']:.1%} | |")
            continue
        p50, p95, most, answer = (_ms(s[key]) for key in ("p50", "p95", "max", "answer_p95"))
        lines.append(f"| {name} | {p50} | {p95} | {most} | {s['painted']} | {s['cached']} | {s['dirty_share']:.1%} | {answer} |")
    lines += ["", f"From start to the first painted frame {result['cold_start_s']} s; both processes together hold "
              f"{result['peak_rss_mb']} MB.{_recalled(result)}", ""]  # fmt: skip
    return "\n".join(lines)


def _processor(machine: dict[str, Any]) -> str:
    """With what of it torch takes, where that is known."""
    return f"{machine['cpu']} with {machine['instructions']}" if machine.get("instructions") else str(machine["cpu"])


def _ms(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"


def techniques(result: dict[str, Any]) -> str:
    """The same trace, played several ways."""
    from benchmarks.result_forms import Played, Technique

    ways = {way["name"]: Technique.model_validate(way) for way in result["side_by_side"]}
    ours, played = ways["ours"], Played.model_validate(result["played"]) if "played" in result else None
    how = "once each, so that small differences between lines are chance" if played is None else f"{played}, medians, in brackets the lowest and the highest"
    disturbed = f"; meanwhile {'; '.join(played.disturbed)}" if played and played.disturbed else ""
    lines = [
        "One trace of ordinary use (a sentence typed, icons hovered over, windows opened and closed), the painter alone, played "
        f"several ways in one run ({how}{disturbed}):",
        "",
        "| | median ms an event | as fast as the stock call, over the trace |" + " against ours |" * (played is not None),
        "| --- | --- | --- |" + " --- |" * (played is not None),
    ]
    for way in ways.values():
        spread = f" ({way.spread[0]:.1f} to {way.spread[1]:.1f})" if way.spread and len(set(way.spread)) > 1 else ""
        beside = f" {way.beside(ours)} |" if played is not None else ""
        lines.append(f"| {way.name} | {way.ms:.1f} | {way.gain:.1f}x{spread} |{beside}")
    return "\n".join([*lines, "", *([typed, ""] if (typed := typing_ratio(result)) else [])])


def typing_ratio(result: dict[str, Any]) -> str:
    """A typed letter against the whole frame painted by the same painter; "" where it was not told, as in older files."""
    typing = {way["name"]: way["typing_ms"] for way in result.get("side_by_side", ()) if way.get("typing_ms")}
    if not {"ours", "ours without crops"} <= typing.keys():
        return ""
    ours, whole = typing["ours"], typing["ours without crops"]
    return f"While the sentence is typed: {ours:.1f} ms an event, {whole:.1f} where ours paints the whole frame anew: {whole / ours:.1f} times as fast."


def preset(result: dict[str, Any]) -> str:
    """What was measured, where the table of techniques is all there is to show."""
    machine, threads = result["machine"], result.get("threads", 0)  # of a CPU
    by = f", {threads} thread{'s' * (threads > 1)}" if threads else ""
    disturbed = f" Meanwhile {'; '.join(result['disturbed'])}: only what is laid side by side can be compared." if result["disturbed"] else ""
    return (
        f"Preset {result['title']}: {_processor(machine)}{by}, torch {machine['torch']}, {result['mode']}, "
        f"{result['size'][0]}x{result['size'][1]}, {result['steps']} step.{disturbed}\n"
    )


def presets(*results: dict[str, Any]) -> str:
    """Architectures at their real size on one GPU, a row each."""
    device, size = results[0]["checkpoint"]["device"], "x".join(map(str, results[0]["size"]))
    lines = [
        f"Architectures at their real size with RANDOM WEIGHTS (their pictures are noise, their latency is real), {device}, {size}, guided; p50 / p95 in "
        "milliseconds from the event to the composited frame, those marked * of `bench --quick` with a sixth of the events; “alone” is the painter without "
        "desktop and process; where less than half of a scenario was painted, it says how much instead:",
        "",
        "| preset | steps | letter alone | whole frame alone | typing | drag | open | peak GB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        name, costs = result["checkpoint"]["name"].removeprefix("random:"), result.get("cost", {}).get("by_damage")
        alone = [f"{costs[which][1]:.1f}" if costs else "–" for which in (0, -1)]
        shown = [_pair(result["scenarios"].get(scenario)) for scenario in ("typing", "drag", "open")]
        cells = (name + "*" * result["quick"], str(result["steps"]), *alone, *shown, f"{result['peak_vram_mb'] / 1e3:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _pair(scenario: dict[str, Any] | None) -> str:
    """Of a scenario, if there was time for it."""
    if scenario is None:
        return "–"
    seen = scenario["painted"] + scenario["cached"]
    if 2 * scenario["painted"] < seen:
        return f"{scenario['painted']} of {seen} painted"
    return "too noisy" if scenario["wanders"] else f"{_ms(scenario['p50'])} / {_ms(scenario['p95'])}"


def brief(result: dict[str, Any], what: str) -> str:
    """Latency in one line."""
    sure = {name: s for name, s in result["scenarios"].items() if name in ("typing", "hover", "open", "full") and not s["wanders"]}
    told = ", ".join(f"{name} {s['p50']:.0f} / {s['p95']:.0f}" for name, s in sure.items())
    typed = f" {typing_ratio(result)}" if typing_ratio(result) else ""
    return f"{what}, {weights_of(result)}, {_processor(result['machine'])}, {result['checkpoint']['dtype']}, p50 / p95 in milliseconds: {told}.{_recalled(result)}{typed}\n"


def _recalled(result: dict[str, Any]) -> str:
    """What comes out of the frame cache by itself."""
    known = ", ".join(f"{name} {_ms(s['cached_p95'])}" for name, s in result["scenarios"].items() if s.get("cached_p95"))
    return f" Out of the frame cache alone, p95: {known}." if known else ""


def presenting(result: dict[str, Any]) -> str:
    """How long from one frame presented to the next."""
    doing = {"typing": "somebody types", "dragging": "a window is dragged", "looks": "the look changes"}
    told = ", ".join(f"{_ms(result[name]['gaps']['p99'])} ms while {what}" for name, what in doing.items())
    most = max(result[name]["gaps"]["max"] for name in doing)
    return (
        f"While the painter paints, the window goes on ({_processor(result['machine'])}): with a pointer that never rests, 99 of 100 frames are presented within so long after the one "
        f"before: {told}; the longest wait was {_ms(most)} ms (`python -m benchmarks.presenting`, painting ahead, SDL's dummy display, 60 frames a second at most).\n"
    )


def swaps(result: dict[str, Any]) -> str:
    """How long another checkpoint takes to paint."""
    took = {name: (result[name]["loading"] + result[name]["taking_over"]) / 1e3 for name in ("there", "back", "unexpected")}
    held = max(result[name]["held_up"] for name in (*took, "lost"))
    return (
        f"Another checkpoint ({_processor(result['machine'])}), while ten letters a second are typed: a copy of the bundled one paints {took['there']:.1f} s after it was chosen, one that is kept "
        f"ready {took['back']:.1f} s, and {took['unexpected']:.1f} s where no process waited that had its libraries; a painter whose process was killed paints again after "
        f"{result['lost']['lost'] / 1e3:.1f} s. The window's loop was held up for {_ms(held)} ms at most "
        "(`python -m benchmarks.swap`).\n"
    )


def refusals(result: dict[str, Any]) -> str:
    """How soon a hostile checkpoint is answered for."""
    machine, check, told, swap = (result[key] for key in ("machine", "check", "told", "swap"))
    late = sum(len(way["too_late"]) for way in (check, told, swap))
    return (
        f"Hostile checkpoints, {check['refused']} that the tests build, {machine['cpu']}, {machine['cores']} cores with a load of {result['load'][0]:.1f} by then, torch {machine['torch']}, libraries loaded: "
        f"`models check` refused each in {_ms(check['max'])} ms at most (median {_ms(check['p50'])}); the picker knew of {told['refused']} from headers and settings before they were chosen, in "
        f"{_ms(told['max'])} ms at most (median {_ms(told['p50'])}), and of the other {swap['refused']} a swap came back refused after {swap['p50'] / 1e3:.1f} s in the median, {swap['max'] / 1e3:.1f} s at most; "
        f"{late or 'none'} of these answers came later than after {result['soon_ms'] / 1e3:.0f} s (`python scripts/refusals.py`).\n"
    )


def painting_ahead(result: dict[str, Any]) -> str:
    """What speculation is worth."""
    without, guessed, patches = result["without"], result["with"], result["patches"]
    return (
        f"Measured by `python -m benchmarks.speculation` in one run (icons hovered over, the calculator worked, entries of menus taken, a note typed with pauses, the toolbar\n"
        f"used; {painted_by(result)}, one thread, processor time): of {result['events']} events that changed the screen {without['painted']} were painted anew without it,\n"
        f"{guessed['painted']} with it; the mean from event to pixels fell from {_ms(without['mean'])} to {_ms(guessed['mean'])} ms, {result['gain']:.1f} times as fast, the median from "
        f"{_ms(without['p50'])} to {_ms(guessed['p50'])}, a menu's from {_ms(without['menus'])} to {_ms(guessed['menus'])}.\n"
        f"{patches['ahead']} patches were painted ahead and {patches['needed']} needed, at {_ms(result['idle_ms'])} ms of idle time for each step."
    )


def seams(result: dict[str, Any]) -> str:
    """How far a crop is from what the whole frame shows."""
    flat, rest = result["flat"], result["rest"]
    return (
        f"The {painted_by(result)}: over {result['screens']} pairs of random screens, each in another look, the two differed on flat\n"
        f"areas by {flat['mean']:.2f} grey levels on average, and along no edge by more than {flat['edge_max']:.2f}; single pixels by up to {flat['pixel_max']:.0f}.\n"
        f"What is not flat differed by {rest['mean']:.2f} on average, and one pixel by {rest['pixel_max']:.0f}."
    )


if __name__ == "__main__":
    sys.exit(main())
