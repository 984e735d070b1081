"""Replay: the same trace gives the same bytes, what it leaves is as the contract says, and refusals leave nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.desktop.desktop import Desktop
from engine.errors import InputError, PixelOSError, TraceError
from engine.events import Down, Event, Move, Text, Up
from engine.mailbox import DirectMailbox
from engine.painter import GuidePainter, PainterSpec
from engine.recorder import Recorder
from engine.replay import STAGES, replay
from engine.session import Session
from engine.starting_point import capture
from engine.trace import Header, Trace, parse_trace, read_trace

SIZE = (384, 256)
SPEC = PainterSpec(checkpoint="guide", size=SIZE)
HEADER = '{"pixelos_trace": 1, "size": [384, 256], "seed": 7}'
WRITES = (
    '{"t": 0.0, "type": "ask", "text": "NOTES"}',
    '{"t": 0.5, "type": "text", "text": "Ωραία grüße, мир"}',
    '{"t": 0.6, "type": "key", "key": "backspace"}',
    '{"t": 0.6, "type": "key", "key": "backspace"}',
    '{"t": 1.0, "type": "drag", "target": "Notes/title", "to": [200, 60]}',
    '{"t": 2.0, "type": "style", "text": "ocean"}',
    '{"t": 8.0, "type": "wait"}',
)


def trace_of(*lines: str, header: str = HEADER) -> Trace:
    return parse_trace("\n".join((header, *lines)).encode(), "a.jsonl")


def play(trace: Trace, out: Path, frames: str = "all") -> dict[str, Any]:
    spec = PainterSpec(checkpoint="guide", size=trace.header.size, seed=trace.header.seed)
    return replay(trace, GuidePainter(spec), spec, out, frames)


def scenes(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "scenes.jsonl").read_text("utf-8").splitlines()]


def text_of(scene: dict[str, Any], role: str) -> list[str]:
    return [w["text"] for w in scene["widgets"] if w["role"] == role]


def test_twice_the_same_bytes(tmp_path: Path) -> None:
    reports = [play(trace_of(*WRITES), tmp_path / name) for name in ("one", "two")]
    names = sorted(str(p.relative_to(tmp_path / "one")) for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(names) == 6 + 2
    for name in names:
        if name != "report.json":
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    for report in reports:
        for step in report["steps"]:
            del step["ms"]
    assert reports[0] == reports[1]


def test_one_frame_one_scene_and_one_entry_a_step(tmp_path: Path) -> None:
    report = play(trace_of(*WRITES), tmp_path / "out")
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    assert sorted(p.name for p in (tmp_path / "out" / "frames").iterdir()) == [f"{n:06d}.png" for n in range(6)]
    assert [s["frame"] for s in scenes(tmp_path / "out")] == [s["frame"] for s in report["steps"]] == list(range(6))
    assert [s["t"] for s in report["steps"]] == [0.0, 0.5, 0.6, 1.0, 2.0, 8.0]
    assert report["checkpoint"]["name"] == "guide"
    assert (report["mode"], report["size"], report["seed"], report["torch"]) == ("guided", [384, 256], 7, None)
    assert {"device", "dtype"} <= set(report)
    for step in report["steps"]:
        assert set(step) == {"frame", "t", "damage", "source", "ms", "repaired_glyphs"}
        assert set(step["ms"]) == set(STAGES)
        assert step["source"] in ("painted", "cached", "skipped", "guide")


def test_the_last_frame_is_what_the_hash_is_of(tmp_path: Path) -> None:
    report = play(trace_of(*WRITES), tmp_path / "out", "last")
    (frame,) = (tmp_path / "out" / "frames").iterdir()
    assert frame.name == "000005.png"
    pixels = np.asarray(Image.open(frame))
    assert pixels.shape == (256, 384, 3)
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == report["final_frame_sha256"]


def test_only_the_damage_changes(tmp_path: Path) -> None:
    report = play(trace_of(*WRITES), tmp_path / "out")
    frames = [np.asarray(Image.open(p)) for p in sorted((tmp_path / "out" / "frames").iterdir())]
    for before, after, step in zip(frames, frames[1:], report["steps"][1:], strict=False):
        outside = np.ones(after.shape[:2], bool)
        for x, y, w, h in step["damage"]:
            outside[y : y + h, x : x + w] = False
        assert (before[outside] == after[outside]).all()


def test_what_was_typed_stands_in_the_scene(tmp_path: Path) -> None:
    play(trace_of(*WRITES), tmp_path / "out")
    assert "Ωραία grüße, мир" in text_of(scenes(tmp_path / "out")[1], "editor")
    assert "Ωραία grüße, м" in text_of(scenes(tmp_path / "out")[-1], "editor")
    assert all(len(widget["rect"]) == 4 for scene in scenes(tmp_path / "out") for widget in scene["widgets"])


def test_an_empty_trace_paints_the_empty_desktop(tmp_path: Path) -> None:
    report = play(trace_of(), tmp_path / "out")
    assert report["steps"] == []
    assert len(report["final_frame_sha256"]) == 64
    assert list((tmp_path / "out" / "frames").iterdir()) == []
    assert (tmp_path / "out" / "scenes.jsonl").read_bytes() == b""


def test_ticks_run_between_steps(tmp_path: Path) -> None:
    snake = ('{"t": 0, "type": "ask", "text": "snake"}', '{"t": 0.2, "type": "key", "key": "right"}')
    still = play(trace_of(*snake, '{"t": 0.25, "type": "wait"}'), tmp_path / "still", "last")
    later = play(trace_of(*snake, '{"t": 2.25, "type": "wait"}'), tmp_path / "later", "last")
    assert len(later["steps"]) == 3
    assert still["final_frame_sha256"] != later["final_frame_sha256"]


def test_the_log_shows_no_timings(tmp_path: Path) -> None:
    play(trace_of(*WRITES, '{"t": 9, "type": "ask", "text": "log"}', '{"t": 10, "type": "wait"}'), tmp_path / "out")
    (lines,) = (w["text"] for w in scenes(tmp_path / "out")[-1]["widgets"] if w["path"] == "Log/lines")
    assert "ask" in lines and " ms" not in lines


@pytest.mark.parametrize(
    "line",
    [
        '{"t": 1.0, "type": "click", "target": "Calculatro"}',
        '{"t": 1.0, "type": "drag", "target": "Calculator/title", "to": [1, 1]}',
    ],
)
def test_a_target_that_is_not_there_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    trace = trace_of('{"t": 0, "type": "wait"}', '{"t": 1.0, "type": "click", "target": "Notes"}', line)
    with pytest.raises(TraceError, match="no widget") as caught:
        play(trace, tmp_path / "deep" / "out")
    assert caught.value.line == 4
    assert list(tmp_path.iterdir()) == []


def test_a_refused_trace_leaves_an_earlier_replay_alone(tmp_path: Path) -> None:
    play(trace_of(*WRITES), tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(TraceError):
        play(trace_of('{"t": 1.0, "type": "click", "target": "nothing"}'), tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_replay_takes_an_earlier_ones_place(tmp_path: Path) -> None:
    play(trace_of(*WRITES), tmp_path)
    (tmp_path / "mine.txt").write_text("kept")
    play(trace_of('{"t": 0, "type": "wait"}'), tmp_path)
    assert [p.name for p in (tmp_path / "frames").iterdir()] == ["000000.png"]
    assert len(scenes(tmp_path)) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["frames", "mine.txt", "report.json", "scenes.jsonl"]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="file"):
            play(trace_of(*WRITES), out)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "state",
    [
        '{"windows": [{}]}',
        '{"windows": 5}',
        '{"context": {"opened": 5}}',
        '{"documents": {"a.png": 5}}',
        '{"documents": {"a.png": {"base64": "?"}}}',
        '{"documents": 5}',
        '{"context": {"preferences": {"text_size": "huge"}}}',
    ],
)
def test_a_state_that_is_none_is_refused(tmp_path: Path, state: str) -> None:
    trace = trace_of(*WRITES, header=HEADER[:-1] + f', "state": {state}}}')
    with pytest.raises(TraceError) as caught:
        play(trace, tmp_path / "out")
    assert caught.value.line == 1
    assert not (tmp_path / "out").exists()


def test_the_style_of_the_header_is_there_from_the_start(tmp_path: Path) -> None:
    play(trace_of('{"t": 0, "type": "ask", "text": "settings"}', header=HEADER[:-1] + ', "style": "dark"}'), tmp_path)
    checked = [w["name"] for w in scenes(tmp_path)[0]["widgets"] if "checked" in w["state"]]
    assert "dark" in checked


def test_a_recording_replays_to_the_frame_it_ended_with(tmp_path: Path) -> None:
    """Live input, two lives: windows, documents and caret of the first are what the second one's trace starts from."""
    first = Desktop(SIZE)
    session = Session(first, DirectMailbox(GuidePainter(SPEC)))
    for number, sentence in enumerate(("notes", "paint", "calculator")):
        session.step(_asked(sentence, number), float(number + 1))
    session.close()
    start = capture(first)
    second = Desktop(SIZE, first.documents, first.clock.start, json.loads(json.dumps(first.state())))
    session = Session(second, DirectMailbox(GuidePainter(SPEC)))
    recorder = Recorder(tmp_path / "a.jsonl", Header(SIZE, 0, first.clock.start, start, checkpoint="guide", mode="guided"))
    t = first.t
    for sentence in ("snake", "notes"):
        t += 1.0
        events = _asked(sentence, t)
        session.step(events, t)
        recorder.take(events)
        for _ in range(7):  # the window lets time pass between events; a replay does not see these steps
            t += 0.1
            session.step((), t)
    events = (Text(t + 0.05, "and on"), Move(t + 0.05, 30, 30), Down(t + 0.1, "left", 120, 90), Up(t + 0.2, "left", 90, 90))
    recorder.take(events)
    recorder.close()
    shown = session.step(events, t + 0.2).pixels
    report = play(read_trace(tmp_path / "a.jsonl"), tmp_path / "out")
    assert report["final_frame_sha256"] == hashlib.sha256(np.ascontiguousarray(shown).tobytes()).hexdigest()
    session.close()


def _asked(sentence: str, t: float) -> tuple[Event, ...]:
    from engine.events import Key

    return Key(t, "space", ("ctrl",)), Text(t, sentence), Key(t, "enter")


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(PixelOSError, match="No space left") as caught:
        play(trace_of(*WRITES), tmp_path / "out")
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []
