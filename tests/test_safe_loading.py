"""Somebody else's checkpoint: what is hostile is refused in a moment and in one message, its harmless twin loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from engine.errors import CheckpointError
from engine.painter import Painter, PainterSpec, Words
from engine.process_mailbox import ProcessMailbox
from models.apart import apart
from models.catalog import open_checkpoint, open_painter, resolve
from models.check import check, glance
from models.families import FAMILIES
from models.findings import ROWS, Findings
from models.limits import limited_memory
from models.places import Found
from models.safetensors_file import SafetensorsFile
from tests.bounds import Memory
from tests.checkpoints import tiny_checkpoint
from tests.hostile import (
    BASES,
    CASES,
    FILE,
    GGUF,
    PAYLOAD,
    PICKLE,
    TEMPLATE,
    config,
    edit_json,
    shards,
    tensors,
)
from tests.test_painters import SIZE, ask, drawn, empty, show
from tests.test_process_mailbox import paintings_to, until
from tests.test_references import small_pictures  # noqa: F401 - a fixture of every test here
from tests.tiny_families import tiny_folder
from ui import cli

ROOT = Path(__file__).parent.parent
SPEC = PainterSpec(size=SIZE, threads=1, device="cpu", steps=1)
ROOM_MB = 256.0  # more memory than it had
ALL = ["bundled", *(row.name for row in FAMILIES)]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound checkpoint of every family."""
    home = tmp_path_factory.mktemp("sound")
    tiny_checkpoint(home / "bundled")
    for row in FAMILIES:
        tiny_folder(home / row.name, row.name)
    return home


@pytest.fixture(scope="module")
def old(sound: Path) -> Painter:
    """The painter of the checkpoint that is in use."""
    return open_painter(replace(SPEC, checkpoint=str(sound / "bundled")))


@pytest.fixture(scope="module")
def wanted(old: Painter) -> np.ndarray:
    """What it paints while nothing went wrong yet."""
    return painted_by(old)


def painted_by(painter: Painter) -> np.ndarray:
    painter.restore(None)
    return show(painter, empty(), ask(drawn(1)))


def refused_thriftily(act: Callable[[], object], message: str) -> str:
    """What is said where `act` is refused, as it must be, in little memory. How soon is measured by `benchmarks.refusals`."""
    memory = Memory()
    with pytest.raises(CheckpointError, match=message) as refusal:
        act()
    assert memory.more_mb < ROOM_MB
    return str(refusal.value)


@pytest.fixture
def refused(old: Painter, wanted: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], str]:
    """Opens a checkpoint that must be refused: in little memory, with one clear message, and without a trace."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planted.py").write_text(PAYLOAD)
    monkeypatch.syspath_prepend(tmp_path)

    def refuse(folder: Path, message: str) -> str:
        said = refused_thriftily(lambda: open_painter(replace(SPEC, checkpoint=str(folder))), message)
        assert "\n" not in said and len(said) < 700 and (str(tmp_path) in said or "can paint here" in said)
        assert not (tmp_path / "ran").exists()
        assert (painted_by(old) == wanted).all()
        return said

    return refuse


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to, symlinks=True))


def notes(folder: Path) -> str:
    findings = Findings()
    open_checkpoint(folder, findings)
    return "\n".join(findings.notes)


@pytest.mark.parametrize(("name", "where"), [(name, where) for name, case in CASES.items() for where in case.where])
def test_what_is_hostile_is_refused_and_its_twin_loads(
    sound: Path, tmp_path: Path, refused: Callable[[Path, str], str], name: str, where: str
) -> None:
    case, base = CASES[name], BASES[where]
    twin = copied(sound / where, tmp_path / "twin")
    case.twin(twin, base)
    assert open_checkpoint(twin).family == where
    hostile = copied(sound / where, tmp_path / "hostile")
    case.hostile(hostile, base)
    refused(hostile, case.message)


@pytest.mark.parametrize("family", ALL)
def test_every_family_is_guarded_and_a_whole_checkpoint_passes(
    sound: Path, tmp_path: Path, refused: Callable[[Path, str], str], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.check.PROBE", SPEC)  # threads wait for one another longer than such small networks compute
    verdict = check(str(sound / family))
    assert verdict.loadable and verdict.family == family and all("chat_template" in note for note in verdict.notes)
    assert [row.name for row in verdict.rows] == list(ROWS) and all(row.state == "sound" for row in verdict.rows)
    for part in sorted(path.parent.name for path in (sound / family).rglob(FILE)) + ["text_encoder"] * (family != "bundled"):
        folder = copied(sound / family, tmp_path / part)
        (weights,) = (folder / part).glob("*.safetensors")
        weights.write_bytes(PICKLE)
        assert part in refused(folder, "is a pickle")


def test_a_checkpoint_that_does_not_paint_does_not_take_over(sound: Path, tmp_path: Path, refused: Callable[[Path, str], str]) -> None:
    """Row 12: every weight is finite, what comes of them is not."""
    for name in BASES:
        folder = copied(sound / name, tmp_path / name)
        tensors(lambda held, key: held.update({key: torch.full_like(held[key].float(), 3e38)}))(folder, BASES[name])
        open_checkpoint(folder)
        refused(folder, "does not paint")


def test_shards_are_the_same_weights(sound: Path, tmp_path: Path) -> None:
    """Row 8, the harmless side."""
    for name, base in BASES.items():
        folder = copied(sound / name, tmp_path / name)
        shards("b.safetensors")(folder, base)
        whole, split = (open_painter(replace(SPEC, checkpoint=str(f))) for f in (sound / name, folder))
        request = replace(ask(drawn(2)), words=Words("paper"))
        assert (show(whole, empty(), request) == show(split, empty(), request)).all()


def test_a_chat_template_is_passed_over_with_a_note_and_never_written(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows 3 and 15: its names would be file names, outside the folder, if it were saved."""
    monkeypatch.setattr(transformers.PreTrainedTokenizerBase, "save_pretrained", lambda *a, **k: pytest.fail("a tokenizer was saved"))
    folder = copied(sound / "sd1", tmp_path / "home" / "sd1")
    before = {*tmp_path.rglob("*"), folder / "tokenizer" / "tokenizer_config.json"}
    edit_json(folder / "tokenizer" / "tokenizer_config.json", chat_template=[{"name": "../../ran", "template": TEMPLATE}])
    painter = open_painter(replace(SPEC, checkpoint=str(folder)))
    show(painter, empty(), replace(ask(drawn(1)), words=Words("paper")))
    assert "chat_template is ignored" in notes(folder) and {*tmp_path.rglob("*")} == before
    assert "save_pretrained(" not in "".join(path.read_text() for path in (ROOT / "models").rglob("*.py"))


def test_a_setting_that_nobody_knows_is_dropped_with_a_note(sound: Path, tmp_path: Path) -> None:
    """Row 4, the harmless side."""
    for name, base in BASES.items():
        folder = copied(sound / name, tmp_path / name)
        config(favourite_colour="green")(folder, base)
        assert f"{base.part}/config.json" in notes(folder) and "favourite_colour" in notes(folder)


def test_pickles_beside_safetensors_are_named_and_left_alone(sound: Path, tmp_path: Path) -> None:
    """Row 6, as hub caches hold them."""
    folder = copied(sound / "sd1", tmp_path / "sd1")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(PICKLE)
    assert "unet/diffusion_pytorch_model.bin is ignored: it is a pickle" in notes(folder)


def test_an_export_for_other_programs_is_named_and_left_alone(sound: Path, tmp_path: Path) -> None:
    """Row 6, as the repositories of Stable Diffusion XL hold them beside their parts."""
    folder = copied(sound / "sd1", tmp_path / "sd1")
    (folder / "vae_decoder").mkdir()
    (folder / "vae_decoder" / "model.onnx").write_bytes(PICKLE)
    (folder / "vae_decoder" / "config.json").write_text("{}")
    assert "vae_decoder/model.onnx is ignored: it is a pickle, which may run code when loaded, and the checkpoint has no part vae_decoder" in notes(folder)
    assert glance(Found("sd1", folder, "checkpoint")).loadable
    (folder / "model_index.json").write_text("{")
    with pytest.raises(CheckpointError, match="onnx is a pickle"):  # nobody knows what is a part
        open_checkpoint(folder)


def test_what_git_keeps_of_a_clone_is_no_part_of_it(sound: Path, tmp_path: Path) -> None:
    folder = copied(sound / "sd1", tmp_path / "sd1")
    (folder / ".git" / "lfs").mkdir(parents=True)
    (folder / ".git" / "lfs" / "0a1b").write_bytes(PICKLE)
    assert not notes(folder)


def test_a_hub_caches_snapshot_loads_and_its_links_lead_nowhere_else(
    sound: Path, tmp_path: Path, refused: Callable[[Path, str], str]
) -> None:
    """Row 9: files of a snapshot are links to the cache's blobs."""
    snapshot = copied(sound / "sd1", tmp_path / "cache" / "snapshots" / "abc")
    (tmp_path / "cache" / "blobs").mkdir()
    for i, path in enumerate(path for path in sorted(snapshot.rglob("*")) if path.is_file()):
        blob = path.rename(tmp_path / "cache" / "blobs" / str(i))
        path.symlink_to(os.path.relpath(blob, path.parent))
    assert open_checkpoint(snapshot).family == "sd1"
    (tmp_path / "cache" / "blobs" / "deeper").mkdir()
    (snapshot / "unet" / "deeper").symlink_to("../../../blobs/deeper")
    refused(snapshot, "links outside")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process that is running; the README says so")
def test_opening_takes_no_more_memory_than_the_files_can_need(sound: Path) -> None:
    """Row 13."""
    with pytest.raises(CheckpointError, match="more memory than"), limited_memory(sound / "sd1"):
        torch.empty(2**38, dtype=torch.uint8)
    with limited_memory(sound / "sd1"):
        torch.empty(2**30, dtype=torch.uint8)


def test_whatever_a_checkpoint_does_to_the_process_that_reads_it_this_one_goes_on() -> None:
    """Row 13: it crashes, it hangs, it is sound."""
    with pytest.raises(CheckpointError, match="ended the process that read it"):
        apart(os._exit, 11)
    begun = time.perf_counter()
    with pytest.raises(CheckpointError, match="not read within 1 s"):
        apart(time.sleep, 60, seconds=1)
    assert time.perf_counter() - begun < 10 and apart(abs, -3) == 3


@pytest.mark.usefixtures("libraries_at_hand")
def test_the_painters_process_refuses_while_another_goes_on_painting(sound: Path, tmp_path: Path) -> None:
    """Row 13, as the window does it."""
    hostile = copied(sound / "bundled", tmp_path / "hostile")
    tensors(lambda held, key: held[key].fill_(float("nan")))(hostile, BASES["bundled"])
    folders = (sound / "bundled", hostile)
    old, new = (ProcessMailbox(open_painter, replace(SPEC, checkpoint=str(folder))) for folder in folders)
    try:
        until(lambda: new.status.state == "gave up" and old.status.state == "ready", 120)
        assert "not finite" in new.status.why and new.status.deaths == 1  # another try would fare no better
        old.post(ask(drawn(1)))
        assert paintings_to(old, 1)[-1].source == "painted"
    finally:
        old.close()
        new.close()


def test_a_single_file_is_judged_by_what_it_holds(tmp_path: Path) -> None:
    """Rows 5, 6 and 14."""
    for content, message in ((GGUF, "announces .* tensors"), (PICKLE, "is a pickle"), (b"\x02\0\0\0\0\0\0\0{}", "holds no denoiser")):
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            open_checkpoint(resolve(str(path)))


def test_a_file_that_changes_while_it_is_read_is_loaded_and_hashed_as_it_was(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 16: between the look at the header and the reading of the tensors, another file takes its place."""
    folder = copied(sound / "bundled", tmp_path / "bundled")
    other = copied(sound / "bundled", tmp_path / "other")
    tensors(lambda held, key: held[key].fill_(7))(other, BASES["bundled"])
    before, wanted = open_checkpoint(folder).sha256, load_file(BASES["bundled"].weights(folder))["head.bias"]
    read = SafetensorsFile.tensors

    def late(self: SafetensorsFile, *given: object) -> object:
        if "denoiser" in str(self.path):
            os.replace(BASES["bundled"].weights(other), BASES["bundled"].weights(folder))
        return read(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(SafetensorsFile, "tensors", late)
    loaded = open_checkpoint(folder)
    assert loaded.sha256 == before
    assert torch.equal(loaded.networks[0].state_dict()["head.bias"], wanted.float())
    monkeypatch.undo()
    assert open_checkpoint(folder).sha256 != before


@pytest.mark.parametrize("module", ["models.catalog", "models.denoiser", "models.prompted.opening", "ui.cli"])
def test_the_libraries_never_see_a_network(module: str) -> None:
    """Row 2 and the hub: said before the first of them is imported, whatever the user's environment says."""
    code = (
        f"import {module}, models.catalog, huggingface_hub.constants as hub, os, sys\n"
        "read = sys.modules.get('diffusers.utils.constants')\n"  # where it is imported already
        "own = read is None or read.DIFFUSERS_DISABLE_REMOTE_CODE\n"
        "sys.exit(not (hub.HF_HUB_OFFLINE and own and os.environ['DIFFUSERS_DISABLE_REMOTE_CODE'] == '1'))"
    )
    environ = {**os.environ, "HF_HUB_OFFLINE": "0", "DIFFUSERS_DISABLE_REMOTE_CODE": "0"}
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, timeout=120).returncode == 0


def test_models_check_prints_every_row(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told = [str(sound / "sd1"), "--profile", str(tmp_path / "profile")]
    done = subprocess.run([sys.executable, "-m", "ui.cli", "models", "check", *told], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and all(f"\n{row:<10} sound" in f"\n{done.stdout}" for row in ROWS)
    folder = copied(sound / "sd1", tmp_path / "sd1")
    tensors(lambda held, key: held.pop(key))(folder, BASES["sd1"])
    monkeypatch.setattr("models.apart.apart", lambda work, *given: work(*given))  # in this process, which has torch
    assert cli.status(["models", "check", str(folder), *told[1:]]) == 2
    out, err = capsys.readouterr()
    assert "conv_in.bias is missing" in err and "Traceback" not in err
    assert "tensors    refused" in out and "headers    sound" in out and "finite     not reached" in out
