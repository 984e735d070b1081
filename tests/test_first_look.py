"""What files tell of a checkpoint is refused before any library is taken in: at once, by every command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.catalog import open_carefully
from models.check import Verdict, check
from models.facts import fact
from models.findings import Findings
from models.first_look import PARTS
from models.loading import COMPONENTS
from models.places import Found
from tests.hostile import BASES, CASES, GGUF, PICKLE, sound_in

ROOT = Path(__file__).parent.parent
NETWORKS = {
    "a size of many gigabytes", "a tensor that is missing", "a tensor too many", "a tensor too many, but known", "a tensor of another shape",
    "a tensor of whole numbers", "a setting that is no number", "settings that do not go together", "a number that is none", "a number without end",
}  # fmt: skip - what nobody can tell who does not build any, or read their numbers
READ_ALL = """
import json, sys
import models.first_look
from models.check import check
from tests.bounds import Memory
memory = Memory()
print(json.dumps([[[row.name, row.state, row.found] for row in told.rows] + [told.why] for told in map(check, json.load(sys.stdin))]))
assert memory.more_mb < 128, memory.more_mb
sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_in(tmp_path_factory.mktemp("sound"))


@pytest.fixture(scope="module")
def hostile(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Every hostile folder that needs no network to be seen through, by its name and its family's."""
    home, folders = tmp_path_factory.mktemp("hostile"), {}
    for name, case in CASES.items():
        for family in case.where if name not in NETWORKS else ():
            folder = home / str(len(folders)) / family
            shutil.copytree(sound / family, folder, symlinks=True)
            try:
                case.hostile(folder, BASES[family])
            except pytest.skip.Exception:
                continue
            folders[name, family] = folder
    return folders


def without_a_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    """What is told of a folder by those who build it."""
    with monkeypatch.context() as patch:
        patch.setattr("models.first_look.look_at_folder", lambda surveyed: None)
        return check(str(folder), paint=False)


def test_what_files_tell_is_refused_without_a_library(
    hostile: dict[tuple[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the message and in the row that it has where a library was taken in; so are the rows, to the last that needs none."""
    paths = json.dumps([str(folder) for folder in hostile.values()])
    done = subprocess.run([sys.executable, "-c", READ_ALL], cwd=ROOT, input=paths, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for folder, (*rows, why) in zip(hostile.values(), json.loads(done.stdout), strict=True):
        built = without_a_look(folder, monkeypatch)
        assert why == built.why and not built.loadable
        pairs = [(tuple(row), (full.name, full.state, full.found)) for row, full in zip(rows, built.rows, strict=True)]
        refused = next(name for (name, state, _), _ in pairs if state == "refused")
        for told, full in pairs:
            assert told == full or (refused == "headers" and told[1] in ("not reached", "sound") and full[1] in ("not reached", "sound")), folder


@pytest.mark.parametrize("name", sorted(NETWORKS - {"a number that is none", "a number without end", "a tensor too many, but known", "settings that do not go together"}))
def test_the_picker_knows_of_a_bundled_checkpoint_whose_headers_do_not_fit_its_settings(sound: Path, tmp_path: Path, name: str) -> None:
    """In the words of who opens it, and of its benign twin that it can paint; no tensor is read for it."""
    case = CASES[name]
    for change, refused in ((case.hostile, True), (case.twin, False)):
        folder = Path(shutil.copytree(sound / "bundled", tmp_path / str(refused) / "bundled"))
        change(folder, BASES["bundled"])
        told, opened = fact(Found("bundled", folder, "checkpoint"), PainterSpec()), check(str(folder), paint=False)
        assert told.why == opened.why and bool(told.why) == refused and told.parameters == opened.parameters
        assert not refused or re.search(case.message, told.why)


def test_a_sound_checkpoint_is_told_of_as_if_nobody_had_looked_before(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in sound.iterdir():
        verdict = check(str(folder), paint=False)
        assert verdict.loadable and verdict == without_a_look(folder, monkeypatch)


@pytest.mark.parametrize(
    ("name", "family"),
    [("code", "sd1"), ("a class of the standard library", "bundled"), ("a pipeline nobody knows", "sd1"), ("a header of a million values", "bundled"),
     ("half a file", "sd1"), ("layers without end", "bundled")],
)  # fmt: skip
def test_the_command_answers_within_a_second(hostile: dict[tuple[str, str], Path], tmp_path: Path, name: str, family: str) -> None:
    refused_at_once(tmp_path, CASES[name].message.replace(".*", ""), "models", "check", str(hostile[name, family]))


@pytest.mark.parametrize(("content", "message"), [(PICKLE, "is a pickle"), (GGUF, "announces"), (b"\xff\0\0\0\0\0\0\0{}", "not a whole")], ids=["pickle", "GGUF", "half"])
def test_so_it_does_of_a_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    refused_at_once(tmp_path, message, "models", "check", str(path))


@pytest.mark.parametrize(
    "command",
    [("replay", "ui/demo.jsonl", "--out", "OUT", "--checkpoint"), ("eval", "--out", "OUT.json", "--checkpoint"),
     ("bench", "--out", "OUT.json", "--checkpoint"), ("models", "probe", "--out", "OUT.html"), ("train", "--part", "lora", "--out", "OUT", "--init"),
     ("train", "--out", "OUT", "--init")],
)  # fmt: skip
def test_so_do_the_commands_that_paint_or_train(hostile: dict[tuple[str, str], Path], tmp_path: Path, command: tuple[str, ...]) -> None:
    told = [word.replace("OUT", str(tmp_path / "out")) for word in command]
    refused_at_once(tmp_path, "model.PY is code", *told, str(hostile["code", "sd1"]))
    assert not list(tmp_path.glob("out*"))


def test_so_does_the_painters_process(hostile: dict[tuple[str, str], Path]) -> None:
    spec = PainterSpec(checkpoint=str(hostile["half a file", "bundled"]), device="cpu")
    code = f"from engine.painter import PainterSpec; import models.catalog, sys\ntry: models.catalog.open_carefully({spec!r})\nexcept Exception as error: print(error)\nsys.exit('torch' in sys.modules)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "not a whole safetensors file" in done.stdout
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        open_carefully(spec)


def refused_at_once(home: Path, message: str, *command: str) -> None:
    """By the command in a process of its own, whose processes take none of the large libraries in: reading those is what takes long."""
    environ = {**os.environ, "PIXELOS_HOME": str(home / "profile")}
    done = pixelos(environ, *command)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    seen = pixelos({**environ, "PYTHONPROFILEIMPORTTIME": "1"}, *command).stderr  # of every process that the command starts
    assert "models.first_look" in seen or "models.survey" in seen or "models.whole" in seen
    assert not [line for line in seen.splitlines() if line.rpartition("|")[2].strip() in ("torch", "diffusers", "transformers")]


def pixelos(environ: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ui.cli", *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_parts_of_the_bundled_family_are_those_that_are_built() -> None:
    assert {part: cls.__name__ for part, cls in COMPONENTS.items()} == PARTS


def test_what_was_tried_counts_only_where_it_was_refused() -> None:
    findings = Findings({"structure": ["3 files"]})
    with findings.trial() as tried:
        tried.tell("family", "sd1")
    assert findings == Findings({"structure": ["3 files"]})
    with pytest.raises(CheckpointError), findings.trial() as tried, tried.row("headers"):
        tried.tell("family", "sd1")
        raise CheckpointError("no")
    assert findings == Findings({"structure": ["3 files"], "family": ["sd1"]}, refused="headers")
