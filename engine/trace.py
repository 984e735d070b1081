"""Traces: recorded events as JSON Lines, read, checked and written.

The first line is the header, then one event a line; times never decrease, and events of equal time are one step.
Whatever is wrong is refused with its line number before anything is played. What a click's target names is known
only when it is played, so every event remembers its line.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from engine.desktop.clock import START
from engine.errors import InputError, TraceError
from engine.events import Event, from_record
from engine.geometry import check_size

VERSION = 1
MODES = ("guided", "dream")
LARGEST_SEED = 2**63 - 1
LATEST_START = datetime(9000, 1, 1, tzinfo=UTC)  # a year the calendar can still add a trace's length to


@dataclass(frozen=True, slots=True)
class Header:
    """What a trace starts from. `state` is `starting_point.capture` of where it was recorded, None for the empty desktop.

    style, checkpoint and mode are None where the trace does not say.
    """

    size: tuple[int, int] = (512, 384)
    seed: int = 0
    start: datetime = START
    state: dict[str, Any] | None = None
    style: str | None = None
    checkpoint: str | None = None
    mode: str | None = None

    def as_record(self) -> dict[str, Any]:
        """The header as the trace's first line's JSON object."""
        record: dict[str, Any] = {"pixelos_trace": VERSION, "size": list(self.size), "seed": self.seed}
        record["start"] = self.start.isoformat()
        for name in ("style", "checkpoint", "mode", "state"):
            if getattr(self, name) is not None:
                record[name] = getattr(self, name)
        return record


@dataclass(frozen=True, slots=True)
class Step:
    """The events of one time, and the 1-based line of each."""

    t: float
    events: tuple[Event, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace that was read and found sound. `name` is for messages."""

    header: Header = field(default_factory=Header)
    steps: tuple[Step, ...] = ()
    name: str = "trace"


def read_trace(path: Path) -> Trace:
    """Read and check a trace. Raises InputError for a file that cannot be read, TraceError naming the line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"the trace {path} cannot be read: {error.strerror}; give a file recorded before") from error
    return parse_trace(data, str(path))


def parse_trace(data: bytes, name: str = "trace") -> Trace:
    """The bytes of a trace to a Trace. Raises TraceError naming the line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise TraceError(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8", number) from error
    numbered = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not numbered:
        raise TraceError(f'{name} is empty; its first line must be a header such as {{"pixelos_trace": 1}}', 1)
    at, first = numbered[0]
    header = _header(_record(first, at, name), at, name)
    events: list[tuple[int, Event]] = []
    last = float((header.state or {}).get("t", 0.0))
    for number, line in numbered[1:]:
        event = _event(_record(line, number, name), number, name)
        if event.t < last:
            before = "the event before it" if events else "the state it starts from"
            _refuse(f"time goes back, from {last:g} to {event.t:g} seconds; {before} is later", number, name)
        last = event.t
        events.append((number, event))
    return Trace(header, _steps(events), name)


def _steps(events: Sequence[tuple[int, Event]]) -> tuple[Step, ...]:
    groups: list[list[tuple[int, Event]]] = []
    for number, event in events:
        if not groups or groups[-1][0][1].t != event.t:
            groups.append([])
        groups[-1].append((number, event))
    return tuple(Step(g[0][1].t, tuple(e for _, e in g), tuple(n for n, _ in g)) for g in groups)


def _record(line: str, number: int, name: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        _refuse("half of a surrogate pair is no text", number, name)
    except json.JSONDecodeError as error:
        _refuse(f"broken JSON, {error.msg} at column {error.colno}", number, name)
    except (ValueError, RecursionError):
        _refuse("broken JSON: a number too long, or too many brackets", number, name)
    if not isinstance(record, dict):
        _refuse(f"a JSON object belongs here, not {line.strip()[:40]!r}", number, name)
    return record


def _event(record: dict[str, Any], number: int, name: str) -> Event:
    try:
        return from_record(record)
    except InputError as error:
        _refuse(str(error), number, name)


def _header(record: dict[str, Any], number: int, name: str) -> Header:
    if "pixelos_trace" not in record:
        _refuse('the first line must be a header such as {"pixelos_trace": 1, "size": [512, 384]}', number, name)
    version = record["pixelos_trace"]
    if type(version) is not int or version != VERSION:
        _refuse(f"trace version {version!r} is not known; this Pixel OS reads version {VERSION}", number, name)
    unknown = sorted(set(record) - set(Header.__dataclass_fields__) - {"pixelos_trace"})
    if unknown:
        _refuse(f"the header has unknown field {unknown[0]!r}", number, name)
    try:
        return Header(**{key: _HEADER_CHECKS[key](value) for key, value in record.items() if key in _HEADER_CHECKS})
    except InputError as error:
        _refuse(str(error), number, name)


def _refuse(what: str, line: int, name: str) -> NoReturn:
    raise TraceError(f"{what} (in {name})", line)


def _size(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or any(type(v) is not int for v in value):
        raise InputError(f"size must be [width, height] in whole pixels, not {value!r}")
    return check_size((value[0], value[1]))


def _seed(value: object) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_SEED:
        raise InputError(f"seed must be a whole number from 0, not {value!r}")
    return value


def _start(value: object) -> datetime:
    try:
        start = datetime.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"start must be a time such as 2026-01-01T09:00:00+00:00, not {value!r}") from None
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    if start > LATEST_START:
        raise InputError(f"start must lie before {LATEST_START.year}, not {value!r}")
    return start


def _state(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"state must be a JSON object, not {str(value)[:40]!r}")
    t = value.get("t", 0.0)
    if isinstance(t, bool) or not isinstance(t, (int, float)) or not 0 <= t < 1e9:
        raise InputError(f"the state's t must be a number of seconds from 0, not {t!r}")
    return value


def _words(name: str) -> Any:
    def check(value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{name} must be text, not {value!r}")
        return value

    return check


def _mode(value: object) -> str:
    if value not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, not {value!r}")
    return str(value)


_HEADER_CHECKS: dict[str, Any] = {
    "size": _size, "seed": _seed, "start": _start, "state": _state, "style": _words("style"),
    "checkpoint": _words("checkpoint"), "mode": _mode,
}  # fmt: skip
