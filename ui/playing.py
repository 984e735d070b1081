"""`pixelos replay`: a trace, the painter it asks for, and a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError, SizeError
from engine.geometry import parse_size
from engine.replay import FRAMES, THREADS, check_out
from engine.replay import replay as play_trace
from engine.starting_point import open_desktop
from engine.trace import read_trace
from ui.measuring import say
from ui.options import Choice
from ui.progress import progress

if TYPE_CHECKING:
    from engine.trace import Trace

DEMO = Path(__file__).parent / "demo.jsonl"


def play(choice: Choice, trace_path: Path, out: Path, frames: str) -> None:
    """Play the trace; everything that can be refused is refused before the painter is opened."""
    trace = _checked(choice, trace_path, frames)
    header = trace.header
    check_out(out)
    _tell_lost(choice, [trace])
    trace = replace(trace, header=replace(header, style=choice.style or header.style))
    said = {"checkpoint": header.checkpoint, "mode": header.mode}
    spec = choice.spec(
        size=header.size, seed=header.seed, threads=THREADS, **{k: v for k, v in said.items() if v is not None}
    )
    from models.catalog import open_painter

    with progress("replaying") as show:
        report = play_trace(trace, open_painter(spec), spec, out, frames, show)
    print(f"{len(report['steps'])} steps played by {report['checkpoint']['name']}; see {out / 'report.json'}")


def play_all(choice: Choice, traces: Sequence[Path], out: Path, frames: str) -> None:
    """Play each into a folder of its own in `out`, named as the trace is; one at a time on every GPU."""
    from ui.batch import batch, folders

    where = folders(check_out(out), [path.stem for path in traces])
    _tell_lost(choice, [_checked(choice, path, frames) for path in traces])
    batch("replay", {name: (str(path), "--out", str(where[name]), "--frames", frames) for name, path in zip(where, traces, strict=True)}, choice)
    print(f"{len(where)} traces played; see {out}")


def _tell_lost(choice: Choice, traces: Sequence[Trace]) -> None:
    """Name the words of --style that mean nothing, once. Raises TraceError for a state that is none."""
    lost = [choice.lost_style(open_desktop(trace.header).documents) for trace in traces] if choice.style else []
    for said in dict.fromkeys(filter(None, lost)):
        say(f"--style: {said}")


def _checked(choice: Choice, path: Path, frames: str) -> Trace:
    """The trace, if it can be played so. Raises InputError, TraceError, SizeError."""
    if frames not in FRAMES:
        raise InputError(f"--frames {frames!r} is not known; use one of {', '.join(FRAMES)}")
    trace = read_trace(path)
    width, height = trace.header.size
    if choice.size is not None and parse_size(choice.size) != trace.header.size:
        raise SizeError(f"--size {choice.size} differs from the trace's {width}x{height}; leave --size out")
    return trace
