"""What evaluations found, as the README tells it: legibility and likeness by style, what more steps are worth, dreams."""

from __future__ import annotations

from typing import Any

NEAR = 24  # dB to the source from which a dreamt screen counts as near to what should be there


def painted_by(result: dict[str, Any]) -> str:
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
    off = result["texture_off_by_steps"]
    return (
        f"\nMore sampling steps: {told} (mean PSNR to the source's frames of {len(gained)} held-out screens, one a style, {painted_by(result)}; by style "
        f"eight steps instead of one are worth between {gained[worst]:+.2f}, `{worst}`, and {gained[best]:+.2f}, `{best}`; `python -m benchmarks.sampling_steps`). "
        f"Where nothing but a texture is, {result['texture_share']:.0%} of the pixels, it is off by {off['1']:.2f} of 255 levels in one step, by {off['4']:.2f} in four."
    )


def blotted(result: dict[str, Any]) -> str:
    """What is wrong in one place."""
    first, *others = result["checkpoints"]
    worst = max(first["by_style"], key=lambda style: first["by_style"][style]["worst"])
    clean = sum(not style["blots"] for style in first["by_style"].values())
    side = result["side"]
    return (
        f"\nWrong in one place, which means over frames hide: on {result['screens']} screens of the real apps, their windows anywhere, each painted anew, {first['blots']} squares of {side}x{side} "
        f"pixels have more than a fifth of their pixels off by more than {result['off']} of 255 levels; {clean} of {len(first['by_style'])} styles have none, the worst, in `{worst}`, "
        f"has {first['by_style'][worst]['worst']} of {side * side} ({painted_by({**result, **first})}; {first['psnr_db']:.1f} dB in the mean; `python -m benchmarks.blots`)."
        + "".join(f" Weights before ({other['sha256'][:12]}) have {other['blots']} on the same screens, and {other['psnr_db']:.1f} dB." for other in others)
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
        "loop, held-out seed. Repair is off; of the desktop it is told which windows and pages are open, what documents, lists and fields of one line in them say, where carets in texts are, "
        f"what is chosen in Settings, Files and the paintbox, what the ask bar, menus, the calculator and notices say, and the time.{beside}",
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
