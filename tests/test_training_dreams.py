"""What a dreamer learns from a recorded session, and what it made of it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import InputError, TraceError
from models.dreaming.book import Book
from models.dreaming.dream import Dream
from models.loading import BundledCheckpoint, load_bundled, save_bundled
from models.training import dream_looks, heldout
from models.training import dreams as training_dreams
from models.training.config import TrainConfig
from models.training.dreams import Moment, TraceDreams, open_dreams
from models.training.lessons import source_of
from models.training.loop import train
from models.training.source_sheet import dream_sheet
from tests.checkpoints import tiny_networks
from tests.test_dreaming import Always, tiny_dreamer

SIZE = (320, 256)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody plays Snake, with a button held."""
    records: list[dict[str, Any]] = [{"pixelos_trace": 1, "size": SIZE, "seed": 3, "style": "wood"}, {"t": 0.4, "type": "ask", "text": "snake"}]
    records.append({"t": 1.0, "type": "down", "button": "left", "x": 170, "y": 120})
    for i, key in enumerate(("up", "right", "down", "right", "up", "right", "down", "right", "up", "right")):
        records.append({"t": round(1.25 + 0.25 * i, 2), "type": "key", "key": key})
    records.append({"t": 4.0, "type": "up", "button": "left", "x": 170, "y": 120})
    path = tmp_path_factory.mktemp("trace") / "mine.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def alike(a: list[Moment], b: list[Moment]) -> bool:
    return len(a) == len(b) and all(torch.equal(x.target, y.target) and torch.equal(x.codes, y.codes) for x, y in zip(a, b, strict=True))


def test_a_trace_is_lived_through_as_a_dream_would(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = TraceDreams(trace)
    moments = source(np.random.default_rng(0), Book())
    assert len(moments) >= 8 and sum(moment.asks for moment in moments) > 0.6 * len(moments)
    assert all(moment.size == SIZE for moment in moments) and any("left" in moment.buttons for moment in moments)
    assert alike(moments, source(np.random.default_rng(1), Book())), "whenever it is asked"
    assert alike(moments, pickle.loads(pickle.dumps(source))(np.random.default_rng(2), Book())), "wherever it is asked"
    monkeypatch.setattr(training_dreams, "EVENTS", 7)
    assert TraceDreams(trace).stretches == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_dreams, "MOMENTS", 1)
        patch.setattr(training_dreams, "KEPT", max(len(TraceDreams(trace)(np.random.default_rng(seed), Book())) for seed in range(6)))
        short = TraceDreams(trace)
        met = [short(np.random.default_rng(seed), Book()) for seed in range(6)]
    assert len({len(some) for some in met}) == 2 and len(short._lived) == 1, "both of its stretches, one at a time"


def test_typed_text_comes_letter_by_letter(tmp_path: Path) -> None:
    path = tmp_path / "typed.jsonl"
    path.write_text('{"pixelos_trace": 1, "size": [320, 256]}\n{"t": 0.5, "type": "ask", "text": "notes"}\n{"t": 1, "type": "text", "text": "abc"}\n')
    assert [getattr(event, "text", "") for event in TraceDreams(path).events] == ["notes", "a", "b", "c"]


def test_a_dreamer_is_taught_on_traces_and_made_up_sessions(trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heldout, "PRESETS", {"light": heldout.PRESETS["light"]})
    monkeypatch.setattr(dream_looks, "SESSIONS", 1)
    monkeypatch.setattr(dream_looks, "CROPS", 6)
    start = tmp_path / "start"
    save_bundled(start, *tiny_networks(), torch.float16, tiny_dreamer())
    (start / "dreamer" / "book.safetensors").unlink(missing_ok=True)
    monkeypatch.setattr("models.training.lessons.book_of", lambda config: Book())
    config = TrainConfig(tmp_path / "run", part="dreamer", init=start, data=str(trace), crops=2, pool=2, updates=2, threads=1, device="cpu")
    made = load_bundled(train(config, lambda line: None), "made").dreamer
    before = load_bundled(start, "start").dreamer
    assert made is not None and before is not None
    assert any(not torch.equal(a, b) for a, b in zip(before.parameters(), made.parameters(), strict=True))
    mixed = source_of(TrainConfig(tmp_path / "b", part="dreamer", init=start, data=f"{trace}:99,synthetic:0.001"))
    assert {moment.size for moment in mixed(np.random.default_rng(0))} == {SIZE}


def test_what_a_dreamer_cannot_learn_from_is_named(trace: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"pixelos_trace": 1, "size": [320, 256]}\n{"t": 1, "type": "wait"}\n')
    with pytest.raises(InputError, match="nothing ever changes"):
        open_dreams(str(wrong))
    wrong.write_text('{"pixelos_trace": 1, "size": [320, 256]}\n{"t": 1, "type": "click", "target": "Nowhere/button"}\n')
    with pytest.raises(TraceError, match="Nowhere") as told:
        open_dreams(f"synthetic,{wrong}")
    assert told.value.line == 2
    for data in ("screens", str(tmp_path), f"{trace},desktops"):
        with pytest.raises(InputError, match="a dreamer learns from"):
            open_dreams(data)


def test_a_sheet_shows_what_was_imagined_and_that_painted(trace: Path) -> None:
    checkpoint = BundledCheckpoint("tiny", *tiny_networks(), "0", tiny_dreamer())
    sheet = dream_sheet(checkpoint, TraceDreams(trace), rows=2)
    picture = np.asarray(sheet.picture)
    assert picture.shape == (2 * 192, 4 * 192, 3)
    before, imagined, painted, frame = np.split(picture, 4, 1)
    assert (before != frame).any() and (painted != imagined).any() and (painted != frame).any()
    assert sheet.given is not None and np.isfinite([sheet.painted, sheet.given]).all() and 0 < sheet.kept < 40


def test_a_question_that_is_answered_aside_changes_no_course(trace: Path) -> None:
    source, dreamer = TraceDreams(trace), Always(1)
    teaching, events = source.woken(0, Book())
    plain = [asked.moment for asked in source.woken(0, Book())[0].questions(events)]
    dream, changed, met = Dream(dreamer, SIZE, teaching.course), 0, list[Moment]()
    for asked in teaching.questions(events):
        changed += bool((dream.imagined(asked.question) != asked.question.shown).any())
        met.append(asked.moment)
    assert changed and alike(plain, met)
