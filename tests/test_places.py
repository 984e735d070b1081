"""Where checkpoints are found: the profile, watched, and folders of other programs, used where they lie."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.desktop.desktop import Desktop
from engine.errors import CheckpointError, InputError
from engine.events import Ask, Click, Wheel
from engine.painter import PainterSpec
from models.catalog import names, resolve
from models.check import check, glance, listing
from models.facts import fact
from models.places import Found, found_in
from models.watching import News, Watch
from models.whole import kind_at, whole
from tests.checkpoints import tiny_checkpoint
from tests.hostile import PICKLE
from tests.test_process_mailbox import until
from ui import checkpoints as command
from ui.options import Choice

LORA = {"unet.mid_block.lora_A.weight": torch.zeros(2, 8), "unet.mid_block.lora_B.weight": torch.zeros(8, 2)}


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    home = tmp_path / "profile"
    for name in ("checkpoints", "loras", "embeddings"):
        (home / name).mkdir(parents=True)
    return home


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is otherwise done in a process of its own."""
    monkeypatch.setattr("models.apart.apart", lambda work, *given: work(*given))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("own") / "mine")


def file(path: Path, **tensors: torch.Tensor) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors or {"x": torch.zeros(3, 3, 3, 3), "y": torch.zeros(1), "z": torch.zeros(1)}, path)
    return path


def use(profile: Path, *folders: Path) -> None:
    (profile / "settings.toml").write_text(f"folders = {json.dumps([str(folder) for folder in folders])}\n")


def told(profile: Path) -> set[tuple[str, str, str]]:
    return {(found.kind, found.name, found.place) for found in found_in(profile)}


def tree(home: Path) -> dict[str, Any]:
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("inside", ["", "models"])
def test_comfyui(profile: Path, tmp_path: Path, inside: str) -> None:
    models = tmp_path / "ComfyUI" / "models"
    for name in ("checkpoints/sub/a.safetensors", "diffusion_models/b.gguf", "unet/c.safetensors", "loras/d.safetensors", "embeddings/e.safetensors", "vae/f.safetensors", "checkpoints/put here.txt"):
        file(models / name)
    use(profile, tmp_path / "ComfyUI" / inside)
    assert told(profile) == {
        ("checkpoint", "a.safetensors", "ComfyUI"), ("checkpoint", "b.gguf", "ComfyUI"), ("checkpoint", "c.safetensors", "ComfyUI"),
        ("lora", "d.safetensors", "ComfyUI"), ("embedding", "e.safetensors", "ComfyUI"), ("vae", "f.safetensors", "ComfyUI"),
    }  # fmt: skip
    assert resolve("a", str(profile)) == models / "checkpoints" / "sub" / "a.safetensors"


def test_a1111_and_forge(profile: Path, tmp_path: Path) -> None:
    home = tmp_path / "webui"
    for name in ("models/Stable-diffusion/a.safetensors", "models/Lora/d.safetensors", "embeddings/e.safetensors", "models/VAE/f.safetensors"):
        file(home / name)
    use(profile, home)
    assert {(kind, name) for kind, name, place in told(profile) if place == "A1111 or Forge"} == {
        ("checkpoint", "a.safetensors"), ("lora", "d.safetensors"), ("embedding", "e.safetensors"), ("vae", "f.safetensors"),
    }  # fmt: skip


def test_comfyuis_diffusers_folders_are_found(profile: Path, tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "ComfyUI" / "models"
    (home / "checkpoints").mkdir(parents=True)
    mine = Path(shutil.copytree(folder, home / "diffusers" / "sub" / "mine"))
    use(profile, tmp_path / "ComfyUI")
    assert told(profile) == {("checkpoint", "mine", "ComfyUI")} and resolve("mine", str(profile)) == mine
    assert check("mine", str(profile), paint=False).loadable


def test_the_profiles_own_comes_first_and_every_name_stands_once(profile: Path, tmp_path: Path) -> None:
    for home in (profile / "checkpoints", tmp_path / "other", tmp_path / "other" / "sub"):
        file(home / "a.safetensors")
    use(profile, tmp_path / "other", tmp_path / "gone")
    found = {found.name: found.path for found in found_in(profile)}
    assert found == {"a.safetensors": profile / "checkpoints" / "a.safetensors", "other/a.safetensors": tmp_path / "other" / "a.safetensors",
                     "sub/a.safetensors": tmp_path / "other" / "sub" / "a.safetensors"}  # fmt: skip


def test_what_is_half_there_is_not_offered(profile: Path, folder: Path) -> None:
    path = file(profile / "checkpoints" / "a.safetensors")
    data = path.read_bytes()
    assert whole(path) and names(profile / "checkpoints") == ["bundled", "guide", "a.safetensors"]
    header = {"x": {"dtype": "F32", "shape": 7, "data_offsets": [0, 4]}, "__metadata__": {"general.architecture": 7}}  # whole, whatever else it is
    path.write_bytes((len(json.dumps(header))).to_bytes(8, "little") + json.dumps(header).encode() + bytes(4))
    assert whole(path) and kind_at(path) == "embedding"
    for cut in (0, 5, 40, len(data) - 1):
        path.write_bytes(data[:cut])
        assert not whole(path) and names(profile / "checkpoints") == ["bundled", "guide"]
    other = Path(shutil.copytree(folder, profile / "checkpoints" / "mine"))
    assert whole(other)
    weights = next(other.rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    assert not whole(other)


@pytest.fixture
def watch(profile: Path) -> Iterator[Watch]:
    watch = Watch(profile, rest_s=0.1)
    until(lambda: watch.news() is not None, 20)
    yield watch
    watch.close()


def next_news(watch: Watch) -> News:
    found: list[News] = []

    def come() -> bool:
        if (news := watch.news()) is not None:
            found.append(news)
        return bool(found)

    until(come, 20)
    return found[0]


def test_what_is_dropped_in_appears_once_it_is_whole_and_goes_again(profile: Path, watch: Watch, tmp_path: Path, folder: Path) -> None:
    data, path = file(tmp_path / "a.safetensors").read_bytes(), profile / "checkpoints" / "a.safetensors"
    path.write_bytes(data[:-1])
    time.sleep(0.6)
    assert watch.news() is None  # still being copied
    with open(path, "ab") as end:
        end.write(data[-1:])
    news = next_news(watch)
    assert news.checkpoints == ("bundled", "guide", "a.safetensors") and "a.safetensors can paint" in news.said[0]
    shutil.copytree(folder, profile / "checkpoints" / "mine")
    assert next_news(watch).checkpoints == ("bundled", "guide", "a.safetensors", "mine")
    path.unlink()
    assert next_news(watch) == News(("bundled", "guide", "mine"))
    lora = file(profile / "loras" / "look.safetensors")
    assert next_news(watch) == News(("bundled", "guide", "mine"), ("look.safetensors is there: F2 offers it.",), (("look.safetensors", str(lora)),))
    pickle = profile / "loras" / "old.pt"
    pickle.write_bytes(PICKLE)
    news = next_news(watch)
    assert len(news.said) == 1 and f"{pickle} is a pickle" in news.said[0] and "convert it" in news.said[0]
    assert "old.pt" not in str(news.checkpoints)


def test_settings_show_what_is_offered() -> None:
    desktop = Desktop()
    for event in (Ask(0.0, "settings"), Click(0.1, "System"), Wheel(0.2, -20)):
        desktop.handle(event)
    assert "guide" in {widget.name for widget in desktop.widgets}
    desktop.offer(("bundled", "guide", "dream.safetensors"))
    desktop.handle(Wheel(0.3, -20))
    assert "dream.safetensors" in {widget.name for widget in desktop.widgets}


@pytest.mark.usefixtures("here")
def test_files_of_every_kind_go_into_the_profile_and_out_of_it(
    profile: Path, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choice = Choice(profile=profile)
    for path, place in ((folder, "checkpoints/mine"), (file(tmp_path / "look.safetensors", **LORA), "loras/look.safetensors"),
                        (file(tmp_path / "wood.safetensors", emb_params=torch.zeros(2, 768)), "embeddings/wood.safetensors")):  # fmt: skip
        command.add(choice, path)
        copy = profile / place
        assert (tree(copy) == tree(path)) if path.is_dir() else copy.read_bytes() == path.read_bytes()
        with pytest.raises(Exception, match="already; remove it first"):
            command.add(choice, path)
    capsys.readouterr()
    command.show_all(choice)
    said = capsys.readouterr().out
    assert "LoRA for" in said and "textual inversion for Stable Diffusion 1.x" in said and "mine" in said
    for name in ("mine", "look.safetensors", "wood.safetensors"):
        command.remove(choice, name)
    assert not tree(profile)


@pytest.mark.usefixtures("here")
def test_the_list_says_what_painting_takes_on_this_machine(profile: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As the plan of this machine has it: on a GPU in half precision, not in float32 as on a CPU."""
    shutil.copytree(folder, profile / "checkpoints" / "mine")
    found = {}
    for device in ("cpu", "cuda:0"):
        monkeypatch.setattr("models.facts.free_on", lambda asked, device=device: (device, 10**11))
        (verdict,) = [verdict for verdict in listing(str(profile)) if verdict.name == "mine"]
        command.show_all(Choice(profile=profile))
        found[device] = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("mine"))
        kind = {"cpu": "float32", "cuda:0": "bfloat16"}[device]
        assert f"  at most {verdict.needs_mb:.0f} MB when painting ({kind})" in found[device] and verdict.needs_mb > 0
        assert verdict.plan == f"{kind}: {verdict.needs_mb / 1000:.1f} GB at most"
    assert found["cpu"] != found["cuda:0"]
    unplanned = command._line(replace(verdict, plan="", needs_mb=0.0))
    assert f"about {verdict.memory_mb:.0f} MB when painting" in unplanned


@pytest.mark.usefixtures("here")
def test_what_is_moved_is_gone_where_it_was_and_what_is_refused_stays(profile: Path, tmp_path: Path) -> None:
    path = file(tmp_path / "wood.safetensors", emb_params=torch.full((1, 768), float("nan")))
    with pytest.raises(CheckpointError, match="not finite"):
        command.add(Choice(profile=profile), path, move=True)
    assert path.is_file() and not tree(profile)
    file(path, emb_params=torch.zeros(1, 768))
    command.add(Choice(profile=profile), path, move=True)
    assert not path.exists() and list(tree(profile)) == ["embeddings/wood.safetensors"]


@pytest.mark.usefixtures("here")
def test_a_copy_that_breaks_off_leaves_nothing(profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    path = file(tmp_path / "wood.safetensors", emb_params=torch.zeros(1, 768))
    monkeypatch.setattr(command.os, "fsync", full)
    with pytest.raises(Exception, match="No space left on device; make room"):
        command.add(Choice(profile=profile), path)
    assert not tree(profile) and not list(profile.glob("*/*"))


@pytest.mark.usefixtures("here")
def test_a_file_that_is_another_by_the_time_it_is_copied_is_not_taken(profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path / "wood.safetensors", emb_params=torch.zeros(1, 768))
    copy = command._copy

    def late(source: Path, *given: Any) -> str:
        file(source, emb_params=torch.ones(1, 768))
        return copy(source, *given)

    monkeypatch.setattr(command, "_copy", late)
    with pytest.raises(CheckpointError, match="changed while it was copied"):
        command.add(Choice(profile=profile), path)
    assert not tree(profile) and not list(profile.glob("*/*"))


def test_what_lies_elsewhere_is_listed_with_its_place_and_never_removed(
    profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], here: None
) -> None:
    path = file(tmp_path / "ComfyUI" / "models" / "checkpoints" / "a.safetensors")
    use(profile, tmp_path / "ComfyUI")
    before = tree(tmp_path / "ComfyUI")
    with pytest.raises(Exception, match=r"lies in .*a\.safetensors \(ComfyUI\) and is only used from there"):
        command.remove(Choice(profile=profile), "a.safetensors")
    assert tree(tmp_path / "ComfyUI") == before
    (found,) = found_in(profile)
    pickle = path.with_name("b.safetensors")
    pickle.write_bytes(PICKLE)
    assert ["is a pickle" in glance(found).why for found in found_in(profile)] == [False, True]
    assert [row.name for row in check("b.safetensors", str(profile)).rows if row.state == "refused"] == ["pickles"]
    pickle.write_bytes(path.read_bytes()[:-1])
    assert [row.name for row in check("b.safetensors", str(profile)).rows if row.state == "refused"] == ["headers"]
    pickle.unlink()
    assert glance(found).path == str(path) and [verdict.name for verdict in listing(str(profile))] == ["bundled", "guide", "a.safetensors"]


@pytest.mark.parametrize("lora", ["ComfyUI/models/loras/sub/look.safetensors", "webui/models/Lora/look.safetensors", "profile/loras/sub/look.safetensors"])
def test_a_lora_is_worn_by_the_name_that_the_list_gives_it(profile: Path, tmp_path: Path, lora: str) -> None:
    (tmp_path / "ComfyUI" / "models" / "checkpoints").mkdir(parents=True)
    (tmp_path / "webui" / "models" / "Stable-diffusion").mkdir(parents=True)
    path = file(tmp_path / lora, **LORA)
    use(profile, tmp_path / "ComfyUI", tmp_path / "webui")
    for said in ("look.safetensors", "look"):
        assert Choice(profile=profile, lora=[f"{said}:0.5"]).spec().loras == ((str(path), 0.5),)
    other = file(profile / "loras" / "look.safetensors", **LORA)
    names = {found.name: found.path for found in found_in(profile)}
    assert set(names.values()) == {path, other}
    for name, place in names.items():
        assert Choice(profile=profile, lora=[name]).spec().loras == ((str(place), 1.0),)
    with pytest.raises(InputError, match=r"no LoRA file 'none', and none of that name in .*loras or in the folders of settings\.toml"):
        Choice(profile=profile, lora=["none"]).spec()


@pytest.mark.usefixtures("here")
def test_a_pickle_that_is_dropped_in_is_listed_with_the_refusal_and_never_offered(
    profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "ComfyUI" / "models"
    sound = file(home / "checkpoints" / "a.safetensors")
    for path in (profile / "checkpoints" / "a.ckpt", profile / "loras" / "old.PT", home / "embeddings" / "wood.pt", home / "vae" / "v.pt"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(PICKLE)
    (profile / "checkpoints" / "named.ckpt").write_bytes(sound.read_bytes())  # what it holds does not help it
    file(home / "vae" / "v.safetensors")
    use(profile, tmp_path / "ComfyUI")
    command.show_all(Choice(profile=profile))
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    for name in ("a.ckpt", "named.ckpt", "old.PT", "wood.pt"):
        assert "cannot be loaded" in lines[name] and "is a pickle" in lines[name] and "convert it" in lines[name]
    why = check("a.ckpt", str(profile)).why
    assert why in lines["a.ckpt"] and why == fact(Found("a.ckpt", profile / "checkpoints" / "a.ckpt", "checkpoint"), PainterSpec()).why
    assert "is a pickle" in lines["v.pt"]
    assert names(profile / "checkpoints") == ["bundled", "guide", "a.safetensors"] and resolve("a", str(profile)) == sound
    command.remove(Choice(profile=profile), "old.PT")
    assert not (profile / "loras" / "old.PT").exists()


def test_on_a_terminal_removing_asks_first(profile: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(profile / "loras" / "look.safetensors")
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    answers: Callable[[str], str] = iter(["n", "y"]).__next__  # type: ignore[assignment]
    monkeypatch.setattr("builtins.input", lambda asked: answers())  # type: ignore[call-arg]
    command.remove(Choice(profile=profile), "look.safetensors")
    assert path.exists() and "kept" in capsys.readouterr().out
    command.remove(Choice(profile=profile), "look.safetensors")
    assert not path.exists()
