"""Recordings of programs that nobody here wrote: captured, read back, refused where wrong, and learned from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.context import EVENT_SIZE, RECENT_SIZE, SLOW_SIZE
from engine.desktop.bitmap import filled_up
from engine.errors import InputError
from engine.events import Text
from engine.geometry import SIZE_STEP
from engine.painter import PainterSpec
from engine.style_words import from_words
from models.catalog import open_painter
from models.datasets.recording_source import RecordingSource, nearest_preset, painted_size
from models.datasets.source import open_source
from models.loading import load_bundled, save_bundled
from models.synthetic.shots import Crop, Shot
from models.training import lessons, looks
from models.training.heldout import held_out
from models.training.lessons import Painting
from models.training.loop import TrainConfig, train
from models.training.networks import Networks
from models.training.objective import Batch, batch_of, corrupt, loss_of
from models.training.pool import ShotPool, crop_of
from models.training.source_sheet import source_sheet
from scripts.capture_x11 import X11Window, capture, read_events
from tests.checkpoints import tiny_networks
from tests.conftest import need
from tests.test_dreaming import tiny_dreamer
from ui import cli

ROOT = Path(__file__).resolve().parent.parent
HEADER = {"pixelos_recording": 1, "size": [300, 210]}
LINES: list[dict[str, Any]] = [
    {"frame": 0, "t": 0.0, "events": []},
    {"frame": 1, "t": 0.5, "events": [{"type": "down", "button": "left", "x": 40, "y": 30}]},
    {"frame": 2, "t": 0.7, "events": [{"type": "up", "button": "left", "x": 40, "y": 30}]},
    {"frame": 5, "t": 1.5},
    {"frame": 6, "t": 1.5, "events": [{"type": "text", "text": "hi", "t": 1.4}]},
]


def recording(folder: Path, header: dict[str, Any] = HEADER, lines: list[Any] = LINES) -> Path:
    """A recording of a square that wanders; frame 2 looks like frame 1."""
    (folder / "frames").mkdir(parents=True)
    for number, place in {0: 0, 1: 20, 2: 20, 5: 60, 6: 90}.items():
        pixels = np.full((210, 300, 3), 250, np.uint8)
        pixels[50:70, place : place + 20] = (200, 30, 30)
        Image.fromarray(pixels).save(folder / "frames" / f"{number:06d}.png")
    written = [line if isinstance(line, str) else json.dumps(line) for line in (header, *lines)]
    (folder / "events.jsonl").write_text("\n".join(written) + "\n")
    return folder


def test_frames_come_with_the_events_that_led_to_them(tmp_path: Path) -> None:
    source = RecordingSource(recording(tmp_path / "mine"))
    given = source(np.random.default_rng(0))
    shots, still = ([shot for shot in given if shot.changed.any() == changed] for changed in (True, False))
    assert [int(shot.changed.any(0).argmax()) for shot in shots] == [0, 20, 60]
    assert [int(shot.changed.sum()) for shot in still] == [0]  # frame 2 is as frame 1: that nothing came of it is learned too
    assert all(shot.size == (320, 256) == (shot.frame.shape[1], shot.frame.shape[0]) for shot in shots)
    assert not any(shot.guided or shot.guide.any() or shot.ink.any() for shot in shots)
    assert all(shot.explained and shot.slow.shape == (SLOW_SIZE,) and shot.recent.shape == (RECENT_SIZE,) for shot in shots)
    down, tick, text = shots
    assert down.pointer == (40, 30) and down.buttons == ("left",)
    assert down.recent[:EVENT_SIZE][1] == 1  # a press
    assert not tick.recent[: EVENT_SIZE - 10].any() and tick.recent[EVENT_SIZE - 10 : EVENT_SIZE].all()
    assert text.recent[:EVENT_SIZE][5] == text.recent[EVENT_SIZE : 2 * EVENT_SIZE][5] == 1 and text.buttons == ()


def test_a_shot_remembers_what_a_dream_would_that_woke_some_frames_before(tmp_path: Path) -> None:
    folder = recording(tmp_path / "mine", lines=[*LINES, *({"frame": number, "t": float(number)} for number in range(7, 40))])
    for number in range(7, 40):
        Image.new("RGB", (300, 210), (number, 0, 0)).save(folder / "frames" / f"{number:06d}.png")
    source, woken = RecordingSource(folder), set[bool]()
    for seed in range(60):
        first, *others = (shot for shot in source(np.random.default_rng(seed)) if shot.changed.any())
        assert first.known[1].all()  # the frame that it woke with
        at_once = bool((first.memory[1] == first.before).all())
        assert first.known[0].any() == (not at_once)
        woken.add(at_once)
        for before, shot in zip((first, *others), others, strict=False):
            assert (shot.memory[1] == first.memory[1]).all()
            again = shot.known[0] & before.changed
            assert again.any() and (shot.memory[0][again] == before.before[again]).all()
    assert woken == {True, False}


def test_sizes_off_the_grid_are_filled_up_and_huge_ones_cut() -> None:
    assert painted_size((300, 210)) == (320, 256) and painted_size((512, 384)) == (512, 384)
    assert painted_size((226, 304)) == (256, 320) and painted_size((4000, 100)) == (2048, 192)
    pixels = np.arange(3 * 4 * 3, dtype=np.uint8).reshape(3, 4, 3)
    filled = filled_up(pixels, (6, 5))
    assert (filled[:3, :4] == pixels).all() and (filled[4, 5] == pixels[2, 3]).all() and (filled[:3, 5] == pixels[:, 3]).all()
    assert (filled_up(pixels, (2, 2)) == pixels[:2, :2]).all()


def test_the_style_is_the_one_named_or_the_nearest(tmp_path: Path) -> None:
    named = RecordingSource(recording(tmp_path / "named", {**HEADER, "style": "terminal"}))
    assert named.style == from_words("terminal")[0]
    assert from_words(nearest_preset(np.full((64, 64, 3), 8, np.uint8)))[0].dark
    assert not RecordingSource(recording(tmp_path / "white")).style.dark


def test_recordings_are_learned_without_a_guide(tmp_path: Path) -> None:
    shot = RecordingSource(recording(tmp_path / "mine"))(np.random.default_rng(0))[0]
    batch = batch_of([Crop(shot, 0, 16, 64)], np.random.default_rng(0), guide_dropped=0.0)
    assert not batch.maps[:, 0].any()  # the channel that says whether there is a guide
    assert batch.recent.any() and batch.care.any()


BAD: dict[str, tuple[Any, list[Any], str]] = {
    "no header": (LINES[0], LINES[1:], "line 1.*pixelos_recording"),
    "other version": ({**HEADER, "pixelos_recording": 2}, LINES, "line 1.*version 2"),
    "size": ({**HEADER, "size": [300]}, LINES, "line 1.*size"),
    "style": ({**HEADER, "style": 3}, LINES, "line 1.*style"),
    "unknown field": ({**HEADER, "fps": 30}, LINES, "line 1.*'fps'"),
    "broken": (HEADER, [*LINES, "{"], "line 7"),
    "no object": (HEADER, [*LINES, "[]"], "line 7"),
    "picture missing": (HEADER, [*LINES, {"frame": 7, "t": 2}], "line 7.*000007.png"),
    "time back": (HEADER, [*LINES, {"frame": 7, "t": 1}], "line 7.*t must"),
    "frame again": (HEADER, [*LINES, {"frame": 6, "t": 2}], "line 7.*frame must"),
    "unknown event": (HEADER, [*LINES, {"frame": 7, "t": 2, "events": [{"type": "swipe"}]}], "line 7.*swipe"),
    "named target": (HEADER, [*LINES, {"frame": 7, "t": 2, "events": [{"type": "click", "target": "OK"}]}], "line 7.*click"),
    "events no list": (HEADER, [*LINES, {"frame": 7, "t": 2, "events": 1}], "line 7.*list"),
    "too short": (HEADER, LINES[:1], "fewer than two"),
    "nothing happens": (HEADER, LINES[1:3], "no frame"),
    "other size": ({**HEADER, "size": [301, 210]}, LINES, "300x210"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_wrong_recording_is_refused_with_its_line(kind: str, tmp_path: Path) -> None:
    header, lines, said = BAD[kind]
    with pytest.raises(InputError, match=said):
        open_source(str(recording(tmp_path / "bad", header, lines)))


@pytest.fixture
def calculator(xvfb: str) -> Iterator[X11Window]:
    """A program of the X Window System's own, under the virtual X server."""
    need("xdotool", "xdotool")
    process = subprocess.Popen([need("xcalc", "x11-apps")], env={**os.environ, "DISPLAY": xvfb}, stderr=subprocess.DEVNULL)
    try:
        yield X11Window("Calculator", xvfb)
    finally:
        process.terminate()
        process.wait(10)


CLICKS = [
    {"type": kind, "button": "left", "x": x, "y": y}
    for x, y in ((69, 288), (112, 288), (155, 318), (69, 348), (112, 318), (69, 380))
    for kind in ("down", "up")
]


def test_a_program_that_nobody_here_wrote_is_recorded_and_learned(calculator: X11Window, tmp_path: Path) -> None:
    (tmp_path / "clicks.jsonl").write_text("\n".join(map(json.dumps, [*CLICKS, {"type": "text", "text": "42"}])))
    events = list(read_events(tmp_path / "clicks.jsonl"))
    assert events[-2:] == [Text(0.0, "4"), Text(0.0, "2")]
    frames, style = capture(calculator, events, tmp_path / "recording")
    assert frames == len(events) + 1

    source = RecordingSource(tmp_path / "recording")
    assert source.style == from_words(style)[0]
    shots = source(np.random.default_rng(0))
    assert all(length % SIZE_STEP == 0 for length in source.size)
    assert len(shots) >= 6, "the program answered hardly any event"
    presses = [shot for shot in shots if shot.buttons == ("left",)]
    assert presses and all(_near(shot) for shot in presses), "a pressed button changes where the pointer is"

    before, after = _learn(source)
    assert after < 0.85 * before


def _near(shot: Shot) -> bool:
    """Whether the picture changed within 40 pixels of the pointer."""
    x, y = shot.pointer
    return bool(shot.changed[max(y - 40, 0) : y + 40, max(x - 40, 0) : x + 40].any())


def _learn(source: RecordingSource, updates: int = 50) -> tuple[float, float]:
    """The loss on the same crops of the recording, before and after a few updates of tiny networks."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    networks = Networks(*tiny_networks())
    optimiser = torch.optim.AdamW(networks.parameters(), lr=3e-3)
    pool = ShotPool(source, (0,), 8)
    def draw(turn: int) -> list[Crop]:
        return pool.draw(turn, 8, lambda shot, rng: crop_of(shot, 64, rng))

    held = batch_of(draw(0), rng, guide_dropped=0.5)

    def loss(batch: Batch, seed: int) -> torch.Tensor:
        noisy, previous, level = corrupt(batch, torch.Generator().manual_seed(seed))
        return loss_of(networks(noisy, previous, batch, level), batch)

    before = float(loss(held, 0).detach())
    for update in range(updates):
        optimiser.zero_grad()
        loss(batch_of(draw(1 + update), rng, guide_dropped=0.5), update).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return before, float(loss(held, 0).detach())


def test_the_capture_says_what_is_missing(xvfb: str, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"type": "text", "text": "a"}\n')
    command = [sys.executable, "scripts/capture_x11.py", "--window", "Nobody's window", "--events", str(tmp_path / "events.jsonl"),
               "--out", str(tmp_path / "out"), "--display", xvfb]  # fmt: skip
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 2 and "Nobody's window" in told.stderr and "Traceback" not in told.stderr
    assert not (tmp_path / "out").exists()


def test_training_takes_a_recording_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = held_out()[:2]
    for module in (looks, lessons):
        monkeypatch.setattr(module, "held_out", lambda *seed: few)
    folder = recording(tmp_path / "mine")
    config = TrainConfig(out=tmp_path / "out", data=f"{folder}:2", updates=2, crops=2, pool=2, threads=1)
    trained = load_bundled(train(config, lambda line: None), "trained")
    sheet = source_sheet(trained.denoiser, trained.context_encoder, open_source(str(folder)), rows=3)
    assert sheet.picture.size == (3 * 192, 3 * 192)
    before, frame = np.asarray(sheet.picture)[:192, :192], np.asarray(sheet.picture)[:192, 384:]
    assert (before != frame).any() and np.isfinite(sheet.painted) and sheet.kept < 20


def test_the_command_line_names_a_wrong_source_before_it_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["train", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert "none" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_what_has_learned_from_another_program_answers_by_itself(tmp_path: Path) -> None:
    """A dreamer beside it would answer instead, and it knows no program but ours."""
    init, other = tmp_path / "init", recording(tmp_path / "mine")
    save_bundled(init, *tiny_networks(), torch.float16, tiny_dreamer())
    for i, (data, there) in enumerate({"screens": True, str(other): False, f"screens:0.3,{other}": False}.items()):
        lesson = Painting(TrainConfig(out=tmp_path / "run", data=data, init=init), None)
        lesson.save(tmp_path / str(i), lesson.networks)
        assert (load_bundled(tmp_path / str(i), "x").dreamer is not None) is there
        spec = PainterSpec(checkpoint=str(tmp_path / str(i)), mode="dream", size=(256, 192), device="cpu", threads=1)
        assert open_painter(spec).info.imagines is there
