"""What a checkpoint is like, for whoever has the real weights: is it sound, equal to its stock pipeline, legible, fast?

Each part stands for itself: one that fails is told with its reason, and the others go on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import numpy as np
from PIL import Image

from benchmarks.latency import bench
from benchmarks.machine import machine_facts
from benchmarks.probe_result import PARTS, Part, Probed, ProbeResult
from benchmarks.quality_text import page_scores
from engine.context import RECENT_SIZE, SLOW_SIZE
from engine.desktop.desktop import Desktop
from engine.errors import PixelOSError
from engine.events import Ask
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import ContextFeatures, Painter, PainterSpec, PaintRequest, Words
from engine.replay import replay
from engine.trace import Step, Trace
from models.apart import apart
from models.catalog import open_painter
from models.check import Verdict, check

STYLE = "light"
EQUAL = 1e-4  # of the range, in float32
DEMO_S = 120.0  # a slow machine plays as much of the trace as fits into about so long
FIRST = 4  # steps of the trace that are played at least, to see how long they take
TELL_EVERY = 10  # steps
SHOWN = 4  # pictures of the trace
SCENARIOS = ("caret", "typing", "hover", "open", "full")
Say = Callable[[str], None]
Figures = dict[str, Any]


@dataclass
class Probe:
    """What the parts share. pictures: (part, words, pixels) for the page."""

    spec: PainterSpec
    trace: Trace
    say: Say
    only: Collection[str] = SCENARIOS
    painter: Painter | None = None
    verdict: Verdict | None = None
    pictures: list[tuple[str, str, np.ndarray]] = field(default_factory=list)

    def show(self, part: str, words: str, pixels: np.ndarray) -> None:
        self.pictures.append((part, words, pixels))


def probe(work: Probe) -> ProbeResult:
    """All parts, in order. Nothing a checkpoint does in one of them is raised."""
    parts: dict[str, Part] = {}
    for name in PARTS:
        if name != "safety" and parts["safety"].state != "done":
            parts[name] = Part(state="not reached", why="it was refused")
            continue
        work.say(f"{name} ...")
        begun = perf_counter()
        try:
            part = Part(state="done", figures=LOOKS[name](work))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            why = str(error) if isinstance(error, PixelOSError) else f"{type(error).__name__}: {error}"
            part = Part(state="failed", why=" ".join(why.split())[:1000])
        parts[name] = part.model_copy(update={"seconds": round(perf_counter() - begun, 2)})
        work.say(f"{name}: {parts[name].state}" + (f", {parts[name].why}" if parts[name].why else ""))
    info, verdict = work.painter.info if work.painter else None, work.verdict
    told: Figures = {"name": Path(work.spec.checkpoint).name[:200], "family": "unknown", "sha256": "", "parameters": 0}
    if verdict:
        told |= {"name": verdict.name, "family": verdict.family, "sha256": verdict.sha256, "parameters": verdict.parameters}
    if info:
        told |= {"device": info.device, "dtype": info.dtype, "steps": info.steps, "loras": [asdict(lora) for lora in info.loras]}
    checkpoint = Probed(**told)
    return ProbeResult(checkpoint=checkpoint, machine=machine_facts(), mode=cast(Any, work.spec.mode), size=work.spec.size,
                       seed=work.spec.seed, parts=cast(Any, parts))  # fmt: skip


def _safety(work: Probe) -> Figures:
    """Looked over in a process of its own, then opened in this one."""
    work.verdict = verdict = apart(check, work.spec.checkpoint, work.spec.profile)
    if not verdict.loadable:
        raise PixelOSError(verdict.why)
    work.painter = open_painter(work.spec)
    return {"rows": {row.name: row.state for row in verdict.rows}, "notes": [note[:200] for note in verdict.notes[:20]]}


def _equality(work: Probe) -> Figures:
    """The whole frame beside the stock pipeline's, with the same weights, seed and settings; where it can be, by the library's own loading of them."""
    from models.prompted.painter import PromptedPainter
    from models.prompted.stock import stock_frame
    from models.prompted.stock_loading import stock_of

    painter, asked = work.painter, _request(work.spec)
    if not isinstance(painter, PromptedPainter):
        own = painter is not None and painter.info.prompted
        return {"compared": False, "note": "the stock pipeline itself paints" if own else "the bundled family has no stock pipeline"}
    ours = painter.frame(asked).float().cpu()
    assert asked.guide is not None
    stock = stock_of(painter, work.spec)
    theirs = stock_frame(stock.pipeline, painter.family, painter.telling.prompt(asked), asked.guide, painter.info.steps, work.spec.seed)
    apart_by = (ours - theirs).abs()
    for words, frame in (("shown", None), ("painted here", ours), ("by the stock pipeline", theirs)):
        work.show("equality", words, asked.guide if frame is None else _pixels(frame))
    return {
        "compared": True, "stock": painter.family.pipeline, "loaded_by": stock.loaded_by, "largest": float(apart_by.max()), "mean": float(apart_by.mean()),
        "equal": bool(apart_by.max() <= EQUAL), "dtype": painter.info.dtype,
    }  # fmt: skip


def _untouched(work: Probe) -> Figures:
    """A rect is painted; everything else must stay as it was, to the bit."""
    assert work.painter is not None
    width, height = work.spec.size
    part = Rect(width // 4 // 8 * 8, height // 4 // 8 * 8, 64, 64)
    before, after = (np.zeros((height, width, 3), np.uint8) for _ in range(2))
    work.painter.restore(None)
    for frames, damage in (((before, after), Rect(0, 0, width, height)), ((after,), part)):
        request = replace(_request(work.spec, "calculator" if damage == part else "notes"), damage=(damage,))
        for patch in work.painter.paint(request).patches:
            for frame in frames:
                frame[patch.rect.slices] = patch.pixels
    changed = (before != after).any(-1)
    inside = int(changed[part.slices].sum())
    return {"pixels_outside": int(changed.sum()) - inside, "pixels_inside": inside}


def _legibility(work: Probe) -> Figures:
    """A page of Notes read back by an OCR engine: from the guide, from the painting, from the repaired painting."""
    assert work.painter is not None
    return page_scores(work.painter, work.spec, (STYLE,), 1, np.random.default_rng(work.spec.seed), work.say)


def _demo(work: Probe) -> Figures:
    """The trace that comes with Pixel OS, as `replay` plays it."""
    steps = work.trace.steps
    with tempfile.TemporaryDirectory(prefix="pixelos-probe-") as folder:
        begun = perf_counter()
        report = _played(work, steps[:FIRST], Path(folder))
        most = int(DEMO_S * FIRST / max(perf_counter() - begun, 1e-3))
        if min(most, len(steps)) > FIRST:
            report = _played(work, steps[:most], Path(folder))
        frames = sorted((Path(folder) / "frames").iterdir())
        for path in frames[:: max(-(-len(frames) // SHOWN), 1)]:
            work.show("demo", f"step {int(path.stem)}", np.asarray(Image.open(path).convert("RGB")))
    took = [step["ms"]["total"] for step in report["steps"] if step["source"] == "painted"]
    return {
        "steps": len(steps), "played": len(report["steps"]), "painted": len(took),
        "repaired_glyphs": sum(step["repaired_glyphs"] for step in report["steps"]),
        **({f"p{q}_ms": round(float(np.percentile(took, q)), 1) for q in (50, 95)} if took else {}),
    }  # fmt: skip


def _played(work: Probe, steps: tuple[Step, ...], folder: Path) -> dict[str, Any]:
    """What `replay` reports of these steps of the trace."""
    assert work.painter is not None

    def told(done: int, total: int) -> None:
        if done % TELL_EVERY == 0:
            work.say(f"demo: {done} of {total} steps")

    work.painter.restore(None)
    return replay(replace(work.trace, steps=steps), work.painter, work.spec, folder, "all", told)


def _latency(work: Probe) -> Figures:
    """From an event to the composited frame, through the painter's process."""
    found = bench(work.spec, quick=True, say=work.say, only=work.only)
    if not found["checkpoint"]:
        raise PixelOSError("the painter's process did not open the checkpoint; close other programs, and see what pixelos run says")
    return {key: found[key] for key in ("scenarios", "cold_start_s", "peak_rss_mb", "disturbed")}


LOOKS: dict[str, Callable[[Probe], Figures]] = {
    "safety": _safety, "equality": _equality, "untouched": _untouched, "legibility": _legibility, "demo": _demo, "latency": _latency,
}  # fmt: skip


def _request(spec: PainterSpec, app: str = "notes") -> PaintRequest:
    """The whole frame, with an app open."""
    desktop = Desktop(spec.size)
    desktop.handle(Ask(0.1, app))
    guide = Guide(spec.size)
    guide.update(desktop.items)
    context = ContextFeatures(np.zeros(SLOW_SIZE, np.float32), np.zeros(RECENT_SIZE, np.float32))
    whole = Rect(0, 0, *spec.size)
    return PaintRequest(0, (), (whole,), guide.pixels.copy(), guide.verbatim.copy(), context, forms=guide.forms.copy(), words=Words(STYLE))


def _pixels(frame: Any) -> np.ndarray:
    return (frame[0].clamp(0, 1) * 255).round().permute(1, 2, 0).byte().numpy()
