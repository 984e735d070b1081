"""Recordings of any program: a folder of frames with a log of the events between them.

`frames/000000.png` ... and `events.jsonl`: a header line, then a line for each frame with the events since the frame
before it, in the words of a trace. docs/data.md shows one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.events import Event, from_record
from engine.style_words import from_words
from engine.styles import Style
from models.datasets.layout import is_size, read_lines

VERSION = 1
LOG = "events.jsonl"
KINDS = ("move", "down", "up", "wheel", "key", "text", "ask", "wait")  # a click by target needs a scene


@dataclass(frozen=True)
class Moment:
    """One frame: its number, the time it was taken, the events since the frame before, the log's line."""

    frame: int
    t: float
    events: tuple[Event, ...]
    line: int


@dataclass(frozen=True)
class Recording:
    """A recording that was read and found sound; size: (width, height) of every frame, any; style: where named."""

    folder: Path
    size: tuple[int, int]
    style: Style | None
    moments: tuple[Moment, ...]

    def frame_file(self, moment: Moment) -> Path:
        return frame_file(self.folder, moment.frame)


def frame_file(folder: Path, number: int) -> Path:
    return folder / "frames" / f"{number:06d}.png"


def read_recording(folder: Path) -> Recording:
    """Read and check a recording's log. Raises InputError naming the line."""
    log = folder / LOG
    if not log.is_file():
        raise InputError(f"{folder} has no {LOG}: it is no recording; docs/data.md says what one looks like")
    lines = read_lines(log)
    number, header = next(lines, (1, {}))
    try:
        size, style = _header(header)
    except InputError as error:
        raise InputError(f"line {number} of {log}: {error}") from error
    moments: list[Moment] = []
    for number, record in lines:
        try:
            moments.append(_moment(record, number, moments[-1] if moments else None))
            if not frame_file(folder, moments[-1].frame).is_file():
                raise InputError(f"the picture {frame_file(folder, moments[-1].frame)} is missing")
        except InputError as error:
            raise InputError(f"line {number} of {log}: {error}") from error
    if len(moments) < 2:
        raise InputError(f"{log} has fewer than two frames; record a longer session")
    return Recording(folder, size, style, tuple(moments))


def _header(header: dict[str, Any]) -> tuple[tuple[int, int], Style | None]:
    if "pixelos_recording" not in header:
        raise InputError('the first line must be a header such as {"pixelos_recording": 1, "size": [800, 600]}')
    version = header["pixelos_recording"]
    if version != VERSION or isinstance(version, bool):
        raise InputError(f"recording version {version!r} is not known; this Pixel OS reads version {VERSION}")
    unknown = sorted(set(header) - {"pixelos_recording", "size", "style", "program"})
    if unknown:
        raise InputError(f"the header has unknown field {unknown[0]!r}")
    if not is_size(header.get("size")):
        raise InputError(f"size must be [width, height] in whole pixels, not {header.get('size')!r}")
    said = header.get("style")
    if said is not None and not (isinstance(said, str) and said.strip()):
        raise InputError(f"style must be words such as 'dark blue', not {said!r}")
    return (header["size"][0], header["size"][1]), from_words(said)[0] if said else None


def _moment(record: dict[str, Any], line: int, last: Moment | None) -> Moment:
    unknown = sorted(set(record) - {"frame", "t", "events"})
    if unknown:
        raise InputError(f"unknown field {unknown[0]!r}; a line has frame, t and events")
    frame, t, events = record.get("frame"), record.get("t"), record.get("events", [])
    if type(frame) is not int or frame < 0 or (last and frame <= last.frame):
        raise InputError(f"frame must be a whole number above the last one's, not {frame!r}")
    if isinstance(t, bool) or not isinstance(t, (int, float)) or not 0 <= t < 1e9 or (last and t < last.t):
        raise InputError(f"t must be seconds from 0 that never decrease, not {t!r}")
    if not isinstance(events, list):
        raise InputError(f"events must be a list, not {events!r}")
    return Moment(frame, float(t), tuple(_event(event, float(t)) for event in events), line)


def _event(record: object, t: float) -> Event:
    """An event of a trace; its time is the frame's where it has none."""
    event = from_record({"t": t, **record} if isinstance(record, dict) else record)
    if event.type not in KINDS:
        raise InputError(f"a recording cannot hold {event.type!r} events; known are {', '.join(KINDS)}")
    return event
