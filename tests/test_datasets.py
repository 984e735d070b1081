"""Datasets: every state annotated, written whole or not at all, read back, mixed; traces as a source."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.desktop.desktop import Desktop
from engine.errors import InputError, SizeError, TraceError
from engine.events import Ask, Text, from_record
from engine.geometry import Rect
from engine.styles import PRESETS
from engine.theme import NEUTRAL, Role
from models.datasets.annotation import CONTENT, Annotator, annotate
from models.datasets.episodes import episode
from models.datasets.layout import PLANES
from models.datasets.reader import DatasetSource
from models.datasets.source import open_source
from models.datasets.states import DOCUMENTS, LONGEST, live, state_of
from models.datasets.trace_source import TraceSource
from models.datasets.writer import write_dataset
from models.synthetic.shots import Shot
from tests.user import User
from ui import cli

ROOT = Path(__file__).resolve().parent.parent
SIZE = (320, 256)
STYLE = PRESETS["forest"]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "set"
    write_dataset(folder, seed=5, count=16, size=SIZE)
    return folder


def lines(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("episodes/*/samples.jsonl"))
    return [json.loads(line) | {"folder": file.parent} for file in files for line in file.read_text().splitlines()]


# Annotations


def writing() -> Desktop:
    desktop = Desktop((512, 384))
    for event in (Ask(0.5, "notes"), Text(1.0, "Guten Tag")):
        desktop.handle(event)
    return desktop


def test_an_annotation_tells_what_stands_where() -> None:
    annotation = annotate(writing(), STYLE)
    record = annotation.record
    written = next(run for run in record["text"] if run["text"] == "Guten Tag" and run["role"] == "ink")
    x, y, w, h = written["rect"]
    assert written["covered"] < 0.1 and written["size"] == 13
    assert annotation.ink[y : y + h, x : x + w].max() > 128
    editor = next(widget for widget in record["widgets"] if widget["role"] == "editor")
    assert "focused" in editor["state"] and Rect(*editor["rect"]).covers(Rect(*written["rect"]))
    json.dumps(record)


def test_the_semantic_mask_holds_the_guides_roles() -> None:
    annotation = annotate(writing(), STYLE)
    flat = (annotation.guide == NEUTRAL[annotation.semantic.clip(max=len(Role) - 1)]).all(-1)
    assert flat[annotation.semantic != CONTENT].mean() > 0.95  # the rest are the soft edges of letters
    assert {Role.WALLPAPER, Role.FIELD, Role.INK, Role.TITLE, Role.BAR} <= set(np.unique(annotation.semantic))


def test_the_hidden_state_tells_what_no_frame_shows() -> None:
    desktop = writing()
    desktop.handle(Ask(2.0, "calculator"))
    desktop.minimise(desktop.stack.windows[-1])
    hidden = annotate(desktop, STYLE).record["hidden"]
    assert [window["app"] for window in hidden["windows"]] == ["Calculator", "Notes"]
    assert [window["minimised"] for window in hidden["windows"]] == [True, False]
    assert hidden["front"] == "Notes" and hidden["focus"].startswith("Notes/")
    caret = Rect(*hidden["caret"])
    assert caret.w == 2 and Rect(*hidden["windows"][1]["rect"]).covers(caret)


def told(user: User) -> dict[str, Any]:
    """The hidden state, as another program reads it."""
    hidden = state_of(user.desktop, STYLE).hidden
    assert json.loads(json.dumps(hidden)) == hidden
    return hidden


def test_the_hidden_state_tells_what_apps_know() -> None:
    user = User("snake")
    user.presses("down")
    before = told(user)["windows"][0]["state"]
    user.waits(1.0)
    after = told(user)["windows"][0]["state"]
    assert after["heading"] == "down" and after["body"] != before["body"] and after["body"][0] == [*user.app.body[0]]
    user.does(Ask, "calculator")
    user.types("12*3")
    assert told(user)["windows"][-1]["state"]["entry"] == "12×3"
    user.presses("enter")
    assert told(user)["windows"][-1]["state"]["answer"] == "36"


def test_the_hidden_state_tells_texts_selections_and_scrolling() -> None:
    user = User("notes", documents={"Diary.md": "a line\n" * 200, "Plan.txt": "x" * 9000})
    user.does(Ask, "Diary.md")
    first = told(user)["windows"][0]["state"]["editor"]["top"]
    user.turns_wheel("Notes/text", -2)
    assert told(user)["windows"][0]["state"]["editor"]["top"] > first == 0
    user.presses("ctrl+home")
    user.types("k")
    user.presses("shift+left", "ctrl+c")
    hidden = told(user)
    editor = hidden["windows"][0]["state"]["editor"]
    assert hidden["documents"]["Diary.md"].startswith("ka line") and hidden["clipboard"] == "k"
    assert (editor["anchor"], editor["caret"]) == (1, 0)
    assert len(hidden["documents"]["Plan.txt"]) == LONGEST
    user.does(Ask, "files")
    user.presses("down", "delete")
    hidden = told(user)
    assert {*hidden["documents"], *hidden["bin"]} == {"Diary.md", "Plan.txt"} and len(hidden["bin"]) == 1
    user.presses("ctrl+space")
    user.types("ca")
    assert told(user)["ask_bar"]["text"] == "ca"


def test_the_hidden_state_stays_small() -> None:
    """What takes the most room is left out first: steps to undo, not the place that is seen."""
    user = User("notes", documents={f"{i}.md": "word " * 2000 for i in range(90)})
    user.does(Ask, "7.md")
    for _ in range(3):
        user.presses("ctrl+a", "ctrl+c", "right", "ctrl+v")
    hidden = told(user)
    assert hidden["windows"][0]["state"]["editor"]["history"]["done"] is None
    assert hidden["windows"][0]["state"]["editor"]["caret"] > LONGEST
    assert len(hidden["documents"]) == DOCUMENTS and len(json.dumps(hidden)) < (DOCUMENTS + 4) * LONGEST


def test_damage_holds_all_that_changed_in_the_guide() -> None:
    desktop, annotator = writing(), Annotator(STYLE, (512, 384))
    before = annotator.take(state_of(desktop, STYLE))
    states = list(live(desktop, Text(1.2, "!?"), STYLE))
    assert [[event.text for event in state.events] for state in states] == [["!"], ["?"]]  # type: ignore[attr-defined]
    after = annotator.take(states[0])
    outside = np.ones(before.ink.shape, bool)
    for rect in after.record["damage"]:
        outside[Rect(*rect).slices] = False
    assert (before.guide[outside] == after.guide[outside]).all() and (before.guide != after.guide).any()
    assert not outside.all() and outside.mean() > 0.9


def test_the_same_seed_gives_the_same_episode() -> None:
    one, again, other = (list(episode(seed, 3, SIZE, 4)) for seed in (1, 1, 2))
    assert len(one) == 4 and all((a.frame != b.frame).any() for a, b in zip(one, one[1:], strict=False))
    assert all((a.frame == b.frame).all() and a.record == b.record for a, b in zip(one, again, strict=True))
    assert (one[0].frame != other[0].frame).any()


# Datasets on disk


def test_other_tools_find_pictures_and_lines(dataset: Path) -> None:
    header = json.loads((dataset / "dataset.json").read_text())
    samples = lines(dataset)
    assert header["samples"] == len(samples) == 16 and header["size"] == list(SIZE) and header["seed"] == 5
    assert header["roles"][Role.INK] == "ink" and header["licence"]
    for sample in samples:
        for plane in PLANES:
            with Image.open(sample["folder"] / sample[plane]) as image:
                assert image.size == SIZE
        assert [from_record(event) for event in sample["events"]] or sample["context"]["tick"]
        assert sample["before"] is None or (sample["folder"] / sample["before"]).is_file()


def test_what_was_written_is_read_back(dataset: Path) -> None:
    annotations = list(episode(5, 0, SIZE))
    source = DatasetSource(dataset)
    given = {(shot.before.tobytes() + shot.frame.tobytes(), *shot.recent): shot for seed in range(6) for shot in source(rng(seed))}
    pairs = list(zip(annotations, annotations[1:], strict=False))
    assert pairs
    for before, after in pairs:
        shot = given[before.frame.tobytes() + after.frame.tobytes(), *after.state.recent]  # a caret blinks more than once
        assert isinstance(shot, Shot) and shot.size == SIZE and shot.guided
        assert (shot.guide == after.guide).all()
        assert (shot.ink == after.ink).all() and (shot.shaped == after.shaped).all()
        assert (shot.slow == after.state.slow).all()
        assert shot.pointer == after.state.pointer and shot.explained == after.state.explained


def test_the_same_seed_writes_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "again", seed=5, count=16, size=SIZE)
    files = [path.relative_to(dataset) for path in dataset.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert all((dataset / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)


def test_an_interrupted_writing_goes_on_and_is_not_read_before(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(out, seed=5, count=16, size=SIZE, say=stop)
    (out / "episodes" / "000001.tmp").mkdir()  # a kill in the middle of an episode
    with pytest.raises(InputError, match="not whole"):
        open_source(str(out))
    with pytest.raises(InputError, match="other settings"):
        write_dataset(out, seed=6, count=16, size=SIZE)
    first = out / "episodes" / "000000" / "frame_00.png"
    kept = first.stat().st_mtime_ns
    write_dataset(out, seed=5, count=16, size=SIZE)
    assert first.stat().st_mtime_ns == kept
    assert sorted(p.relative_to(out) for p in out.rglob("*")) == sorted(p.relative_to(dataset) for p in dataset.rglob("*"))
    with pytest.raises(InputError, match="already"):
        write_dataset(out, seed=5, count=16, size=SIZE)


def copy(dataset: Path, to: Path) -> Path:
    for path in dataset.rglob("*"):
        if path.is_file():
            (to / path.relative_to(dataset)).parent.mkdir(parents=True, exist_ok=True)
            (to / path.relative_to(dataset)).write_bytes(path.read_bytes())
    return to


def test_a_broken_dataset_is_refused_and_the_place_named(dataset: Path, tmp_path: Path) -> None:
    folder = copy(dataset, tmp_path / "set")
    header = json.loads((folder / "dataset.json").read_text())

    def refused(match: str, **changed: Any) -> None:
        (folder / "dataset.json").write_text(json.dumps({**header, **changed}))
        with pytest.raises(InputError, match=match):
            DatasetSource(folder)(rng())

    refused("version 9", pixelos_dataset=9)
    refused("size", size="320x256")
    refused("episodes", episodes=0)
    refused("000002.*missing", episodes=3)
    refused("320x256", size=[256, 192])
    for number in (0, 1):
        samples = folder / "episodes" / f"{number:06d}" / "samples.jsonl"
        whole = samples.read_text().splitlines()
        samples.write_text("\n".join([whole[0], whole[1][:-20], *whole[2:]]) + "\n")
    refused("line 2 of .*samples.jsonl.*broken JSON")
    for number in (0, 1):
        samples = folder / "episodes" / f"{number:06d}" / "samples.jsonl"
        record = json.loads(whole[0])
        samples.write_text("\n".join([whole[0], json.dumps({**record, "before": "frame_00.png", "style": {"hue": 1, "x": 2}})]))
    refused("line 2 of .*samples.jsonl.*'x'")


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SizeError):
        write_dataset(tmp_path / "a", 0, 4, (300, 200))
    with pytest.raises(InputError, match="count"):
        write_dataset(tmp_path / "a", 0, 1, SIZE)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(InputError, match="not empty"):
        write_dataset(tmp_path / "full", 0, 4, SIZE)
    assert not (tmp_path / "a").exists()


# Traces


TRACE = ['{"pixelos_trace": 1, "size": [320, 256], "style": "ocean"}', '{"t": 0.5, "type": "ask", "text": "notes"}',
         '{"t": 1.0, "type": "text", "text": "Hallo"}', '{"t": 2.0, "type": "style", "text": "dark"}',
         '{"t": 3.0, "type": "key", "key": "backspace", "mods": []}']  # fmt: skip


def test_a_trace_is_a_source_of_its_own_states(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(TRACE))
    source = TraceSource(path)
    texts = [event.text for state in source.states for event in state.events if isinstance(event, Text)]
    assert texts == list("Hallo")
    shots = [shot for seed in range(8) for shot in source(rng(seed))]
    assert all(shot.size == SIZE and shot.guided and shot.explained and shot.guide.any() for shot in shots)
    assert any(shot.changed.mean() > 0.9 for shot in shots), "the change of style repaints everything"
    assert any(0 < shot.changed.sum() < 300 and shot.ink[shot.changed].any() for shot in shots), "a letter is written"


def test_a_trace_that_cannot_be_played_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join([*TRACE, '{"t": 4.0, "type": "click", "target": "Nowhere"}']))
    with pytest.raises(TraceError, match=r"line 6.*Nowhere"):
        open_source(str(path))
    path.write_text(TRACE[0])
    with pytest.raises(InputError, match="nothing ever changes"):
        open_source(str(path))


# Naming sources


def test_sources_are_mixed_by_weight(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(TRACE[:3]).replace("[320, 256]", "[256, 192]"))
    source = open_source(f"{dataset}:3, {path}")
    sizes = [source(generator)[0].size for generator in [rng(7)] for _ in range(40)]
    assert 24 <= sizes.count(SIZE) <= 36 and set(sizes) == {SIZE, (256, 192)}
    again = open_source(f"{dataset}:3, {path}")
    assert [again(generator)[0].size for generator in [rng(7)] for _ in range(40)] == sizes


def test_the_synthetic_source_is_one_of_them() -> None:
    shots = open_source("synthetic:0.5")(rng())
    assert shots and all(isinstance(shot, Shot) for shot in shots)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "empty"), ("synthetic:0", "weight of 0"), (":2", "without a source"), ("nowhere", "'nowhere'"), ("synthetic,nowhere:2", "'nowhere'")],
)
def test_what_cannot_be_meant_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_source(text)


def test_a_folder_of_something_else_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a dataset's"):
        open_source(str(tmp_path))


def test_the_command_writes_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "set"
    assert cli.status(["dataset", "--out", str(out), "--count", "4", "--seed", "2", "--size", "256x192"]) == 0
    assert len(lines(out)) == 4 and str(out) in capsys.readouterr().out
    assert cli.status(["dataset", "--out", str(out), "--count", "4"]) == 2
    assert "already" in capsys.readouterr().err


def test_reading_and_writing_data_needs_no_torch() -> None:
    names = [path.stem for path in (ROOT / "models" / "datasets").glob("*.py") if path.stem != "__init__"]
    loads = "; ".join(f"import models.datasets.{name}" for name in names)
    code = f"import sys; {loads}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
