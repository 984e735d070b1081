"""Writes the measured figures of README and docs from the files in benchmarks/results, between the two marks of each page."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "benchmarks" / "results"
START, END = "<!-- figures -->", "<!-- end of figures -->"
NEAR = 24  # dB to the source from which a dreamt screen counts as near to what should be there


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
        latency_table(first), techniques(first), latency_table(gpu), techniques(gpu), preset(turbo), techniques(turbo), presets(*real), preset(mini), techniques(mini), quality_table(quality), sampling(_result("sampling-steps")),
        dream_figures(dream, _result_if_any("dream-rules")),
        brief(dreamt, "Latency of a dream, as above"), *(brief(other, "The first table's again, guided") for other in others),
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
        f"While the painter paints, the window goes on, on a host without AVX-512 where Python runs half as fast: with a pointer that never rests, 99 of 100 frames are presented within so long after the one "
        f"before: {told}; the longest wait was {_ms(most)} ms (`python -m benchmarks.presenting`, float32, painting ahead, SDL's dummy display, 60 frames a second at most).\n"
    )


def swaps(result: dict[str, Any]) -> str:
    """How long another checkpoint takes to paint."""
    took = {name: (result[name]["loading"] + result[name]["taking_over"]) / 1e3 for name in ("there", "back", "unexpected")}
    held = max(result[name]["held_up"] for name in (*took, "lost"))
    return (
        f"Another checkpoint, on the same host, while ten letters a second are typed: a copy of the bundled one paints {took['there']:.1f} s after it was chosen, one that is kept "
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
        f"used; {_painted_by(result)}, one thread, processor time): of {result['events']} events that changed the screen {without['painted']} were painted anew without it,\n"
        f"{guessed['painted']} with it; the mean from event to pixels fell from {_ms(without['mean'])} to {_ms(guessed['mean'])} ms, {result['gain']:.1f} times as fast, the median from "
        f"{_ms(without['p50'])} to {_ms(guessed['p50'])}, a menu's from {_ms(without['menus'])} to {_ms(guessed['menus'])}.\n"
        f"{patches['ahead']} patches were painted ahead and {patches['needed']} needed, at {_ms(result['idle_ms'])} ms of idle time for each step."
    )


def seams(result: dict[str, Any]) -> str:
    """How far a crop is from what the whole frame shows."""
    flat, rest = result["flat"], result["rest"]
    return (
        f"The {_painted_by(result)}: over {result['screens']} pairs of random screens, each in another look, the two differed on flat\n"
        f"areas by {flat['mean']:.2f} grey levels on average, and along no edge by more than {flat['edge_max']:.2f}; single pixels by up to {flat['pixel_max']:.0f}.\n"
        f"What is not flat differed by {rest['mean']:.2f} on average, and one pixel by {rest['pixel_max']:.0f}."
    )


def _painted_by(result: dict[str, Any]) -> str:
    """Checkpoint and machine, in the middle of a sentence."""
    machine, size = result["machine"], "x".join(map(str, result["size"]))
    return f"bundled checkpoint ({result['sha256'][:12]}), guided, {result['dtype']}, {size}, {machine['cores']}-core {machine['cpu']}, torch {machine['torch']}"


def quality_table(result: dict[str, Any]) -> str:
    """Legibility and fidelity by style, closed loop."""
    text, drift, moves, kept = result["text"], result["drift"], result["transitions"], result["persistency"]
    checkpoint, contrast = result["checkpoint"], result.get("contrast", {}).get("by_style")  # which was not always measured
    gaps = [kept_up - fresh for kept_up, fresh in zip(drift["psnr_to_source_db"], drift["fresh_to_source_db"], strict=True)]
    own, other = max(s["own"] for s in result["style"].values()), min(s["other"] for s in result["style"].values())
    apart = f"between {min(gaps):+.1f} and {max(gaps):+.1f} dB"
    others = moves["rivals"] - 1
    rivals = "the screen before" + (f" and to each of {others:.0f} others that might have come" if others >= 1 else "")
    lines = [
        f"Quality: checkpoint {checkpoint['name']} ({checkpoint['sha256'][:12]}), {result['mode']}, {result['steps']} step, "
        f"closed loop, held-out seed. Character error rate of pages of Notes "
        "as Tesseract reads them: from the guide, from the painting, and from the painting with wrong glyphs repaired."
        + (f" Contrast: the lowest of {min(found['runs'] for found in contrast.values())} or more runs of text a style, on screens of every app." if contrast else ""),
        "",
        "| style | characters | guide | painted | repaired | PSNR to the source's frame | SSIM |" + " contrast of text, at least |" * bool(contrast),
        "| --- | --- | --- | --- | --- | --- | --- |" + " --- |" * bool(contrast),
    ]
    for style, s in text["by_style"].items():
        lines.append(
            f"| {style} | {s['characters']} | {s['cer_guide']:.2%} | {s['cer_unrepaired']:.2%} | {s['cer']:.2%} | "
            f"{result['style'][style]['psnr_db']:.1f} dB | {result['style'][style]['ssim']:.3f} |"
            + (f" {contrast[style]['least']:.2f}:1 |" if contrast else "")
        )
    lines += [
        "",
        f"{moves['events']} scripted transitions of {moves['kinds']} kinds: in {moves['accuracy']:.1%} the painted screen was "
        f"nearer to the state the desktop had reached than to {rivals}. Pixels changed outside the damage: {result['untouched']['pixels']}. After "
        f"{drift['steps'][-1]:,} painted frames of a random user's session the frame was {drift['psnr_db'][-1]:.1f} dB from a fresh painting of "
        f"the same screen, and {drift['psnr_to_source_db'][-1]:.1f} dB from the source's own frame, where the fresh one was "
        f"{drift['fresh_to_source_db'][-1]:.1f}; on the way there the difference of the two was {apart} (plus: it was the nearer one). "
        f"The frames of a style are {own:.1f} grey levels at most from the source's in that style, and {other:.1f} at least from those in the nearest other one. "
        f"{_still_there(kept)}",
    ]
    return "\n".join(lines)


def sampling(result: dict[str, Any]) -> str:
    """What more sampling steps are worth."""
    told = ", ".join(f"{db:.2f} dB in {steps}" for steps, db in result["mean_psnr_db_by_steps"].items())
    gained = {style: of["8"] - of["1"] for style, of in result["psnr_db_by_style"].items()}
    worst, best = min(gained, key=gained.__getitem__), max(gained, key=gained.__getitem__)
    return (
        f"\nMore sampling steps: {told} (mean PSNR to the source's frames of {len(gained)} held-out screens, one a style, {_painted_by(result)}; by style "
        f"eight steps instead of one are worth between {gained[worst]:+.2f}, `{worst}`, and {gained[best]:+.2f}, `{best}`; `python -m benchmarks.sampling_steps`)."
    )


def _still_there(kept: dict[str, Any]) -> str:
    """Guided: of pictures, and, since it is looked at too, of windows."""
    picture = kept.get("by_kind", {}).get("picture", kept)
    told = f"Pictures stood unharmed in {picture['share']:.0%} of {picture['frames']} frames"
    if window := kept.get("by_kind", {}).get("window"):
        told += f", and a window put in by the user was there in {window['share']:.0%} of {window['frames']}"
    return told + "."


def dream_figures(result: dict[str, Any], rules: dict[str, Any] | None = None) -> str:
    """What the model answers alone; and beside it, where that was measured, what follows by rule, the dreamer left out."""
    sha = result["checkpoint"]["sha256"]
    rows, heads, beside = _dream_rows(result), ["", ""], ""
    if rules:
        other = rules["checkpoint"]["sha256"]
        heads = ["", "with the dreamer", "the rules alone" + f", {other[:12]}" * (other != sha)]
        rows = [(*row, value) for row, (_, value) in zip(rows, _dream_rows(rules), strict=True)]
        beside = " Beside it what follows from that by rule, with a dreamer that never changes anything (`--without dreamer`)."
    return "\n".join([
        "",
        f"Dream mode: checkpoint {result['checkpoint']['name']} ({sha[:12]}), no guide, {result['steps']} step, closed "
        "loop, held-out seed. Repair is off; of the desktop it is told which windows and pages are open, what documents, lists and fields of one line in them say, "
        f"what is chosen in Settings, Files and the paintbox, what the ask bar, the calculator and notices say, and the time.{beside}",
        "",
        f"| {' | '.join(heads)} |",
        "|" + " --- |" * len(heads),
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ])


def _dream_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """What the figures of a dream's evaluation are, and they."""
    text, moves, drift, kept = result["text"], result["transitions"], result["drift"], result["persistency"]
    right = sum(outcome["right"] > 0 for outcome in moves["by_kind"].values())
    seconds = ", ".join(f"{db:.1f} dB after {s:.0f} s" for s, db in zip(drift["seconds"], drift["psnr_to_source_db"], strict=True))
    at_30 = [session[1] for session in drift["by_session"]]
    by_kind = ", ".join(f"a {name} in {k['share']:.0%}" for name, k in kept["by_kind"].items())
    return [
        (f"transitions right, of {moves['events']} in {moves['kinds']} kinds, against the screen before and up to eight "
         "other outcomes", f"{moves['accuracy']:.1%} (some of {right} kinds)"),
        (f"letters typed in a row, {text['characters']} characters: error rate (the guide's own {text['cer_guide']:.1%})", f"{text['cer']:.1%}"),
        (f"likeness to the screen that should be there, the mean of {drift['sessions']} random users' sessions", seconds),
        (f"sessions above {NEAR} dB after {drift['seconds'][1]:.0f} s", f"{sum(db > NEAR for db in at_30)} of {drift['sessions']} ({min(at_30):.1f} to {max(at_30):.1f})"),
        (f"still there while other things go on, share of frames in {kept['seconds']:.0f} s", by_kind),
        ("pixels touched outside what changed", f"{result['untouched']['share']:.1%}"),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
