"""Plays a trace without a window and writes down what came of it.

The clock is the trace's. With the same trace, seed and checkpoint the same bytes come out, on a CPU; only `ms` in the
report tells one machine from another. Nothing appears in the folder before the last step is played.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.desktop.desktop import Desktop
from engine.errors import InputError, PixelOSError, TraceError
from engine.events import Click, Drag
from engine.mailbox import DirectMailbox
from engine.painter import Painter, PainterInfo, PainterSpec
from engine.session import Frame, Session
from engine.starting_point import open_desktop
from engine.trace import Step, Trace

FRAMES = ("all", "last", "none")
STAGES = ("total", "desktop", "embed", "encode", "denoise", "decode", "check")
THREADS = 2  # pinned, so that sums are added up in the same order wherever it runs
Progress = Callable[[int, int], None]  # steps played, steps in all


def check_out(out: Path) -> Path:
    """The folder itself, if it can be written to. Raises InputError. Makes nothing."""
    nearest = out
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"{out} cannot be a folder: {nearest} is a file; give another --out")
    return out


def replay(
    trace: Trace,
    painter: Painter,
    spec: PainterSpec,
    out: Path,
    frames: str = "all",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Play `trace` with `painter`, opened as `spec` says; write frames, scenes and report to `out`; return the report.

    frames: "all", "last" or "none". Raises TraceError naming the line of a click or drag whose target is not there,
    InputError where `out` cannot be written; `out` is as before then.
    """
    if frames not in FRAMES:
        raise InputError(f"frames {frames!r} is not known; use one of {', '.join(FRAMES)}")
    desktop = open_desktop(trace.header)
    if painter.info.loras:
        desktop.prefer("loras", {lora.name: lora.weight for lora in painter.info.loras})
    session = Session(desktop, DirectMailbox(painter))
    try:
        with _folder(check_out(out)) as workshop:
            report = _play(trace, session, desktop, _Sheets(workshop, frames), progress)
            report = {**_described(painter.info, spec), **report}
            (workshop / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    finally:
        session.close()
    return report


class _Sheets:
    """What is written while a trace plays: a scene a step, and the frames asked for."""

    def __init__(self, folder: Path, frames: str) -> None:
        self._folder = folder
        self._frames = frames
        (folder / "frames").mkdir()
        (folder / "scenes.jsonl").touch()

    def add(self, number: int, step: Step, desktop: Desktop, pixels: np.ndarray) -> None:
        scene = {"frame": number, "t": step.t, "widgets": [w.as_record() for w in desktop.widgets]}
        with open(self._folder / "scenes.jsonl", "a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(scene, ensure_ascii=False) + "\n")
        if self._frames == "all":
            self._save(number, pixels)

    def end(self, number: int, pixels: np.ndarray) -> None:
        if self._frames == "last" and number >= 0:
            self._save(number, pixels)

    def _save(self, number: int, pixels: np.ndarray) -> None:
        Image.fromarray(pixels).save(self._folder / "frames" / f"{number:06d}.png", compress_level=4)


def _play(
    trace: Trace, session: Session, desktop: Desktop, sheets: _Sheets, progress: Progress | None
) -> dict[str, Any]:
    pixels = session.step((), desktop.t).pixels  # the desktop before the first step: painted, but no step
    steps = []
    for number, step in enumerate(trace.steps):
        frame = _step(session, step, trace.name)
        pixels = frame.pixels
        sheets.add(number, step, desktop, pixels)
        steps.append(_told(number, step, frame))
        if progress:
            progress(number + 1, len(trace.steps))
    sheets.end(len(steps) - 1, pixels)
    return {"steps": steps, "final_frame_sha256": hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()}


def _step(session: Session, step: Step, name: str) -> Frame:
    try:
        return session.step(step.events, step.t)
    except InputError as error:
        aimed = [(n, e.target) for n, e in zip(step.lines, step.events, strict=True) if isinstance(e, (Click, Drag))]
        lines = [n for n, target in aimed if repr(target) in str(error)] or [n for n, _ in aimed] or step.lines
        raise TraceError(f"{error} (in {name})", lines[0]) from error


def _told(number: int, step: Step, frame: Frame) -> dict[str, Any]:
    return {
        "frame": number,
        "t": step.t,
        "damage": [list(rect) for rect in frame.damage],
        "source": frame.source,
        "ms": {stage: round(frame.ms.get(stage, 0.0), 3) for stage in STAGES},
        "repaired_glyphs": frame.repaired_glyphs,
    }


def _described(info: PainterInfo, spec: PainterSpec) -> dict[str, Any]:
    return {
        "checkpoint": {"name": info.name, "sha256": info.sha256},
        "loras": [asdict(lora) for lora in info.loras],
        "mode": info.mode,
        "size": list(spec.size),
        "seed": spec.seed,
        "sampling_steps": info.steps,
        "device": info.device,
        "dtype": info.dtype,
        "torch": None if info.family == "guide" else _torch_version(),
    }


def _torch_version() -> str | None:
    try:
        return version("torch")
    except PackageNotFoundError:
        return None


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """A folder inside `out` to work in; what is in it at the end takes the place of an earlier replay's files.

    After an error, or Ctrl-C, `out` is as it was before.
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    workshop = None
    try:
        out.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=".replay-", dir=out))
        yield workshop
        _take_over(workshop, out)
        made = []
    except OSError as error:
        raise _unwritable(out, error) from error
    finally:
        if workshop is not None:
            shutil.rmtree(workshop, ignore_errors=True)
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _take_over(workshop: Path, out: Path) -> None:
    frames = out / "frames"
    frames.mkdir(exist_ok=True)
    for old in frames.iterdir():
        if re.fullmatch(r"\d{6,}\.png", old.name):
            old.unlink()
    for new in (workshop / "frames").iterdir():
        new.replace(frames / new.name)
    for name in ("scenes.jsonl", "report.json"):
        (workshop / name).replace(out / name)


def _unwritable(out: Path, error: OSError) -> PixelOSError:
    message = f"{out} cannot be written: {error.strerror or error}; give another --out, or make room"
    return PixelOSError(message) if error.errno == errno.ENOSPC else InputError(message)
