"""`pixelos models probe`: one page and one JSON about a checkpoint, to look at and to share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.errors import CheckpointError, InputError, PixelOSError
from engine.trace import read_trace
from ui.measuring import beside, check_file, say, write_results
from ui.options import Choice
from ui.playing import DEMO


def probe_to(choice: Choice, path: str, out: Path | None) -> None:
    """Look at everything and write what was found. Raises CheckpointError for one that was refused, PixelOSError where
    a part failed; the page and the JSON are there then, too, and say so, unless a first look refused it."""
    if out is None:
        raise InputError("--out REPORT.html is missing: where the page goes; its JSON goes beside it")
    if choice.checkpoint is not None:
        raise InputError("--checkpoint means nothing to models probe; PATH is the checkpoint")
    document = beside(out, ".json")
    for file in (out, document):
        check_file(file)
    from models.catalog import look_at, resolve

    look_at(resolve(path, str(choice.folder())))  # what its files give reason to is refused before anything is written
    trace = read_trace(DEMO)
    spec = choice.spec(checkpoint=path, size=trace.header.size)
    if spec.mode != "guided":
        raise InputError("models probe looks at guided painting; leave --mode out")
    trace = replace(trace, header=replace(trace.header, size=spec.size, style=choice.style or trace.header.style))
    from benchmarks.checkpoint_probe import Probe, probe
    from benchmarks.probe_report import probe_page

    work = Probe(spec, trace, say)
    found = probe(work)
    write_results({out: probe_page(found, work.pictures), document: (found.model_dump_json(indent=1) + "\n").encode()})
    if found.parts["safety"].state != "done":
        raise CheckpointError(found.parts["safety"].why)
    if failed := [name for name, part in found.parts.items() if part.state != "done"]:
        raise PixelOSError(f"{', '.join(failed)} failed; {out} says why")
