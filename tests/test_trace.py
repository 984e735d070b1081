"""A trace is refused with its line number before anything is played, or it plays."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.errors import InputError, TraceError
from engine.events import Ask, Click, Down, Drag, Event, Key, Move, Style, Text, Up, Wait, Wheel
from engine.recorder import Recorder
from engine.trace import Header, parse_trace, read_trace

HEADER = '{"pixelos_trace": 1, "size": [256, 192], "seed": 7}'


def lines(*more: str, header: str = HEADER) -> bytes:
    return "\n".join((header, *more, "")).encode()


def test_events_of_equal_time_are_one_step() -> None:
    trace = parse_trace(
        lines(
            '{"t": 0.0, "type": "ask", "text": "notes"}',
            '{"t": 0.5, "type": "down", "button": "left", "x": 3, "y": 4}',
            '{"t": 0.5, "type": "up", "button": "left", "x": 3, "y": 4}',
            '{"t": 1, "type": "wait"}',
        )
    )
    assert trace.header == Header(size=(256, 192), seed=7)
    assert [step.t for step in trace.steps] == [0.0, 0.5, 1.0]
    assert trace.steps[1].events == (Down(0.5, "left", 3, 4), Up(0.5, "left", 3, 4))
    assert trace.steps[1].lines == (3, 4)


def test_the_example_of_the_contract_is_read() -> None:
    trace = parse_trace(
        b"""{"pixelos_trace": 1, "size": [512, 384], "seed": 7}
{"t": 0.0, "type": "ask", "text": "notes"}
{"t": 0.5, "type": "text", "text": "Hello"}
{"t": 0.6, "type": "key", "key": "backspace", "mods": []}
{"t": 1.0, "type": "move", "x": 200, "y": 120}
{"t": 1.1, "type": "down", "button": "left", "x": 200, "y": 120}
{"t": 1.2, "type": "up", "button": "left", "x": 200, "y": 120}
{"t": 1.3, "type": "wheel", "dy": -1}
{"t": 2.0, "type": "click", "target": "Calculator"}
{"t": 3.0, "type": "drag", "target": "Notes/title", "to": [260, 90]}
{"t": 4.0, "type": "style", "text": "dark blue, rounded"}
{"t": 5.0, "type": "wait"}
"""
    )
    assert trace.header.start == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert trace.header.state is None
    kinds = [type(event) for step in trace.steps for event in step.events]
    assert kinds == [Ask, Text, Key, Move, Down, Up, Wheel, Click, Drag, Style, Wait]


def test_a_header_alone_and_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    assert parse_trace(lines()).steps == ()
    data = b"\xef\xbb\xbf" + lines('{"t": 0, "type": "wait"}').replace(b"\n", b"\r\n")
    assert len(parse_trace(data).steps) == 1


WAIT = '{"t": 2, "type": "wait"}'
REFUSED = [
    (b"", 1, "empty"),
    (b"\n \n", 1, "empty"),
    (lines(header='{"size": [512, 384]}'), 1, "header"),
    (lines(header='{"t": 0, "type": "wait"}'), 1, "header"),
    (lines(header="[1]"), 1, "object"),
    (lines(header='{"pixelos_trace": 2}'), 1, "version 2"),
    (lines(header='{"pixelos_trace": true}'), 1, "version True"),
    (lines(header='{"pixelos_trace": 1, "sise": [1, 2]}'), 1, "'sise'"),
    (lines(header='{"pixelos_trace": 1, "size": [500, 384]}'), 1, "multiples of 64"),
    (lines(header='{"pixelos_trace": 1, "size": [128, 128]}'), 1, "256x192"),
    (lines(header='{"pixelos_trace": 1, "size": "512x384"}'), 1, "[width, height]"),
    (lines(header='{"pixelos_trace": 1, "seed": -1}'), 1, "seed"),
    (lines(header='{"pixelos_trace": 1, "seed": 1.5}'), 1, "seed"),
    (lines(header='{"pixelos_trace": 1, "start": "yesterday"}'), 1, "start"),
    (lines(header='{"pixelos_trace": 1, "start": 5}'), 1, "start"),
    (lines(header='{"pixelos_trace": 1, "start": "9999-12-31T00:00:00+00:00"}'), 1, "start"),
    (lines(header='{"pixelos_trace": 1, "mode": "both"}'), 1, "mode"),
    (lines(header='{"pixelos_trace": 1, "style": 3}'), 1, "style"),
    (lines(header='{"pixelos_trace": 1, "state": []}'), 1, "state"),
    (lines(header='{"pixelos_trace": 1, "state": {"t": "x"}}'), 1, "state"),
    (lines(WAIT, '{"t": 1, "type": "wait"}'), 3, "goes back"),
    (lines(WAIT, header='{"pixelos_trace": 1, "state": {"t": 5}}'), 2, "goes back"),
    (lines(WAIT, "{"), 3, "broken JSON"),
    (lines(WAIT, '{"t": 3, "type": "wait"} x'), 3, "broken JSON"),
    (lines(WAIT, "[" * 100_000), 3, "broken JSON"),
    (lines(WAIT, '{"t": ' + "9" * 5000 + "}"), 3, "broken JSON"),
    (lines(WAIT, "7"), 3, "object"),
    (lines('{"t": 0, "type": "jump"}'), 2, "'jump'"),
    (lines('{"t": 0}'), 2, "type None"),
    (lines('{"type": "wait"}'), 2, "'t'"),
    (lines('{"t": -1, "type": "wait"}'), 2, "t must"),
    (lines('{"t": NaN, "type": "wait"}'), 2, "t must"),
    (lines('{"t": 1e300, "type": "wait"}'), 2, "t must"),
    (lines('{"t": 0, "type": "key", "key": "hyper"}'), 2, "'hyper'"),
    (lines('{"t": 0, "type": "key", "key": "A"}'), 2, "'A'"),
    (lines('{"t": 0, "type": "key", "key": "a", "mods": ["fn"]}'), 2, "mods"),
    (lines('{"t": 0, "type": "down", "button": "fourth", "x": 1, "y": 1}'), 2, "'fourth'"),
    (lines('{"t": 0, "type": "move", "x": 1}'), 2, "'y'"),
    (lines('{"t": 0, "type": "move", "x": 1.5, "y": 1}'), 2, "x must"),
    (lines('{"t": 0, "type": "wait", "why": 1}'), 2, "'why'"),
    (lines('{"t": 0, "type": "text", "text": 5}'), 2, "text must"),
    (lines('{"t": 0, "type": "text", "text": "\\ud800"}'), 2, "surrogate"),
    (lines('{"t": 0, "type": "drag", "target": "Notes", "to": [1]}'), 2, "to must"),
    (lines(WAIT) + b"\xff\xfe", 3, "UTF-8"),
]


@pytest.mark.parametrize(("data", "line", "said"), REFUSED)
def test_what_is_wrong_is_named_with_its_line(data: bytes, line: int, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        parse_trace(data, "some.jsonl")
    assert caught.value.line == line
    assert f"line {line}:" in str(caught.value)
    assert said in str(caught.value)
    assert "some.jsonl" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_trace_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(InputError, match=str(path)):
            read_trace(path)


EVERY_KIND: tuple[Event, ...] = (
    Move(0.1, 5, 6), Down(0.2, "left", 5, 6), Down(0.2, "right", 5, 6, ("shift",)), Up(0.3, "left", 5, 6),
    Wheel(0.4, -1), Key(0.5, "a", ("ctrl", "shift")), Key(0.5, "backspace"), Text(0.6, "Ωж é\n\t\u2028"), Ask(0.7, "notes"),
    Style(0.8, "ocean"), Click(0.9, "Notes"), Drag(1.0, "Notes/title", (260, 90)), Wait(1.1),
)  # fmt: skip


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    header = Header((512, 384), 3, datetime(2026, 5, 1, 8, tzinfo=UTC), {"t": 0.0}, "dark", "guide", "guided")
    recorder = Recorder(tmp_path / "a.jsonl", header)
    recorder.take(EVERY_KIND[:4])
    recorder.take(EVERY_KIND[4:])
    recorder.take(())
    recorder.close()
    trace = read_trace(tmp_path / "a.jsonl")
    assert trace.header == header
    assert tuple(event for step in trace.steps for event in step.events) == EVERY_KIND
    assert recorder.events == len(EVERY_KIND)


def test_what_was_taken_is_in_the_file_before_it_is_closed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.jsonl", Header())
    recorder.take([Wait(1.0)])
    written = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line).get("type") for line in written] == [None, "wait"]
    recorder.close()


def test_a_recording_takes_no_other_files_place(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("mine")
    with pytest.raises(InputError, match="already"):
        Recorder(path, Header())
    assert path.read_text() == "mine"
    with pytest.raises(InputError, match="cannot be written"):
        Recorder(tmp_path / "none" / "a.jsonl", Header())
