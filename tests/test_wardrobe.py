"""LoRAs in the picker: offered once they are dropped in, put on and taken off while the session runs, refused with the reason."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoint_notes import FILE, CheckpointNotes
from engine.checkpoints import CheckpointFacts
from engine.desktop.desktop import Desktop
from engine.durable import TEMPORARY_PREFIX
from engine.painter import PainterSpec
from engine.profile import Profile
from engine.session import Session
from engine.settings import open_settings
from engine.swap_mailbox import SwapMailbox
from models.catalog import LIBRARIES, open_carefully, open_checkpoint
from models.facts import facts
from models.prompted.checkpoint import PromptedCheckpoint
from models.watching import Watch
from tests.conftest import needed
from tests.test_picker import Place, drawn, spec_of
from tests.tiny_families import tiny_folder
from tests.tiny_loras import Lora, tiny_lora
from ui.gallery import Gallery, Memory
from ui.options import Choice
from ui.picker import Picker
from ui.start import _session, _watched

pygame = needed("pygame", "pygame-ce")

ROUND, WOOD, MISFIT = "+ rounder.safetensors", "+ wood.safetensors", "+ misfit.safetensors"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """With a checkpoint that paints and three LoRAs in the profile; nobody looks into these files."""
    place = Place(tmp_path)
    (tmp_path / "loras").mkdir()
    paths = [tmp_path / "loras" / row.removeprefix("+ ") for row in (ROUND, WOOD, MISFIT)]
    for path in paths:
        path.touch()
    place.gallery.wardrobe.offered = tuple((path.name, str(path)) for path in paths)
    place.gallery.choose("tinted")
    place.until(lambda: place.gallery.painting == "tinted" and not place.gallery.busy)
    yield place
    place.close()


def on(place: Place, row: str) -> bool:
    return states(place)[row] == "on"


def states(place: Place) -> dict[str, str]:
    """By the rows' own names: nobody has read the files."""
    return {name: card.state for name, card in zip(place.gallery.names(), place.gallery.cards(), strict=True)}


def said(place: Place, words: str) -> bool:
    return any(words in line for line in place.desktop.log_lines())


def test_one_is_put_on_and_taken_off_by_a_swap_of_the_same_checkpoint(place: Place) -> None:
    picker = Picker(place.gallery)
    assert place.gallery.names()[-3:] == [ROUND, WOOD, MISFIT] and states(place)[ROUND] == ""
    picker.chosen = place.gallery.names().index(ROUND)
    off = drawn(picker)
    picker.key("enter")
    assert states(place)[ROUND] in ("starting", "loading 100 %", "first frame")
    place.until(lambda: on(place, ROUND))
    assert place.mailbox.spec.checkpoint == "tinted" and place.desktop.loras == {"rounder": 1.0}
    assert states(place)["tinted"] == "painting" and states(place)[WOOD] == "" and said(place, "rounder.safetensors is on: Settings weigh it.")
    assert (drawn(picker) != off).any()
    place.gallery.choose(WOOD)
    place.until(lambda: on(place, WOOD))
    place.desktop.prefer("loras", {"rounder": 0.4, "wood": 1.0})
    place.until(lambda: CheckpointNotes(place.folder).weights("tinted").get("rounder") == 0.4)
    place.gallery.choose(WOOD)
    place.until(lambda: place.desktop.loras == {"rounder": 0.4})
    assert not on(place, WOOD) and said(place, "wood.safetensors is off.")
    place.gallery.choose(ROUND)
    place.until(lambda: place.desktop.loras == {})
    place.gallery.choose(ROUND)
    place.until(lambda: on(place, ROUND))
    assert place.desktop.loras == {"rounder": 0.4}, "as it was weighed last"


def test_two_in_a_row_are_both_on(place: Place) -> None:
    place.gallery.choose(ROUND)
    place.gallery.choose(WOOD)
    place.until(lambda: on(place, WOOD))
    assert on(place, ROUND) and [Path(path).stem for path, _ in place.mailbox.spec.loras] == ["rounder", "wood"]


def test_they_stay_with_their_checkpoint_here_and_at_the_next_start(place: Place) -> None:
    place.gallery.choose(ROUND)
    place.until(lambda: on(place, ROUND))
    place.gallery.choose("guide")
    place.until(lambda: place.gallery.painting == "guide")
    assert place.desktop.loras == {} and not on(place, ROUND)
    place.gallery.choose("tinted")
    place.until(lambda: place.gallery.painting == "tinted")
    place.until(lambda: on(place, ROUND) and place.desktop.loras == {"rounder": 1.0})
    notes, plain = CheckpointNotes(place.folder), spec_of("tinted")
    rounder = str(place.folder / "loras" / "rounder.safetensors")
    assert notes.dressed(plain).loras == ((rounder, 1.0),) and notes.dressed(spec_of("guide")) == spec_of("guide")
    other = replace(plain, loras=(("other.safetensors", 0.5),))
    assert notes.dressed(other) == other, "what is said counts"
    moved = place.folder.parent / f"{place.folder.name} moved"
    shutil.copytree(place.folder, moved, ignore=shutil.ignore_patterns(f"{TEMPORARY_PREFIX}*"))  # pictures may be written meanwhile
    assert CheckpointNotes(moved).dressed(plain).loras == ((str(moved / "loras" / "rounder.safetensors"), 1.0),)
    Path(rounder).unlink()
    assert notes.dressed(plain) == plain, "it is gone"


@pytest.mark.parametrize("worn", ["x", [3, None, ["a"]], {"a": 1}, ["\0"]])
def test_notes_of_no_sense_put_nothing_on(tmp_path: Path, worn: object) -> None:
    (tmp_path / FILE).write_text(json.dumps({"tinted": {"worn": worn}}))
    assert CheckpointNotes(tmp_path).dressed(spec_of("tinted")) == spec_of("tinted")


def test_one_that_does_not_fit_says_so_and_nothing_changes(place: Place) -> None:
    place.gallery.choose(MISFIT)
    place.until(lambda: states(place)[MISFIT] == "refused")
    card = place.gallery.cards()[-1]
    assert "for another family" in card.why and said(place, "misfit.safetensors is not put on: misfit.safetensors is for another family")
    assert place.gallery.painting == "tinted" and states(place)["tinted"] == "painting" and place.mailbox.spec.loras == ()
    drawn(Picker(place.gallery))
    place.gallery.choose("guide")
    place.until(lambda: place.gallery.painting == "guide")
    assert states(place)[MISFIT] == "", "another checkpoint may take it"


def test_what_headers_tell_is_refused_without_opening_anything(place: Place) -> None:
    known = {"tinted": CheckpointFacts("tinted", "sd1", wears="U-Net of 1 or 2"), ROUND: CheckpointFacts(ROUND, "LoRA for Stable Diffusion XL", wears="U-Net of XL"),
             WOOD: CheckpointFacts(WOOD, "LoRA for a U-Net", wears="U-Net"), MISFIT: CheckpointFacts(MISFIT, "unknown", why="it is a pickle")}  # fmt: skip
    place.gallery._facts = dict(known)
    latest = place.mailbox.latest
    for row, why in ((ROUND, "a LoRA for Stable Diffusion XL does not fit tinted"), (MISFIT, "it is a pickle")):
        place.gallery.choose(row)
        assert place.mailbox.latest == latest and states(place)[row] == "refused" and said(place, f"is not put on: {why}")
    assert states(place)[WOOD] == ""
    place.gallery._facts["tinted"] = CheckpointFacts("tinted", "bundled", wears="")
    place.gallery.choose(WOOD)
    assert place.mailbox.latest == latest and said(place, "tinted takes no LoRAs; choose a checkpoint of another family")


def test_one_from_elsewhere_has_a_row_while_it_is_on(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "rounder.safetensors"
    path.parent.mkdir()
    path.touch()
    rows = place.gallery.wardrobe.rows(replace(place.mailbox.spec, loras=((str(path), 1.0), (str(tmp_path / "loras" / "wood.safetensors"), 1.0))))
    assert [*rows] == [ROUND, WOOD, MISFIT, f"+ {path}"]


def test_facts_say_what_kind_goes_with_what(tmp_path: Path) -> None:
    for family in ("sd1", "sdxl", "flux", "longcat-edit"):
        tiny_folder(tmp_path / "checkpoints" / family, family)
    loras = tmp_path / "loras"
    loras.mkdir()
    for name, told in (("xl", {"ss_base_model_version": "sdxl_base_v1-0"}), ("one", {"modelspec.architecture": "stable-diffusion-v1/lora"}), ("any", {})):
        Lora({"unet.mid_block.x.lora_A.weight": torch.zeros(4, 8), "unet.mid_block.x.lora_B.weight": torch.zeros(8, 4)}, told).write(loras / f"{name}.safetensors")
    (loras / "half.safetensors").write_bytes(b"half of it")
    save_file({"conv.weight": torch.zeros(2, 2, 3, 3)}, loras / "none.safetensors")
    told = {one.name: one for one in facts(PainterSpec(profile=str(tmp_path)))}
    kinds = {name: one.wears for name, one in told.items()}
    assert kinds["sd1"] == "U-Net of 1 or 2" and kinds["sdxl"] == "U-Net of XL" and kinds["flux"] == "transformer"
    assert kinds["bundled"] == kinds["guide"] == kinds["longcat-edit"] == ""
    assert (kinds["+ xl.safetensors"], kinds["+ one.safetensors"], kinds["+ any.safetensors"]) == ("U-Net of XL", "U-Net of 1 or 2", "U-Net")
    assert told["+ half.safetensors"].why and "half.safetensors" in told["+ half.safetensors"].why and "none.safetensors" in told["+ none.safetensors"].why


@pytest.mark.usefixtures("libraries_at_hand")
def test_those_of_other_programs_are_offered_and_put_on_where_they_lie(tmp_path: Path) -> None:
    """Of two that are called alike each has its row; nothing is copied or written there."""
    profile, others = tmp_path / "profile", tmp_path / "others"
    tiny_folder(profile / "checkpoints" / "sd", "sd1")
    homes = {"ComfyUI": ("models/checkpoints", "models/loras/sub"), "webui": ("models/Stable-diffusion", "models/Lora")}
    for program, folders in homes.items():
        for folder in folders:
            (others / program / folder).mkdir(parents=True)
    pipeline = open_checkpoint(profile / "checkpoints" / "sd").pipeline  # type: ignore[union-attr]
    paths = {"+ look.safetensors": others / "ComfyUI/models/loras/sub/look.safetensors", "+ Lora/look.safetensors": others / "webui/models/Lora/look.safetensors"}
    for path in paths.values():
        tiny_lora(pipeline).write(path)
    (profile / "settings.toml").write_text(f"folders = {json.dumps([str(others / program) for program in homes])}\n")
    before = {path: path.read_bytes() for path in others.rglob("*") if path.is_file()}
    told = {one.name: one for one in facts(PainterSpec(profile=str(profile)))}
    assert all(str(told[row].wears).startswith("U-Net") and not told[row].why for row in paths)
    with Profile.open(profile) as opened:
        chosen = Choice(profile=profile, checkpoint="sd", device="cpu", size="256x192", steps=1)
        with _session(chosen, opened, open_settings(opened.settings_path)) as (session, gallery, _), _watched(session, gallery, opened) as look:

            def until(condition: Callable[[], bool]) -> None:
                end = time.monotonic() + 120
                while not condition():
                    assert time.monotonic() < end, [gallery.cards(), session.desktop.log_lines()]
                    session.step((), session.desktop.t)
                    look()
                    gallery.follow()
                    time.sleep(0.02)

            until(lambda: paths.keys() <= set(gallery.names()) and gallery._mailbox.status.state == "ready")
            gallery.choose("+ Lora/look.safetensors")
            until(lambda: {card.facts.name: card.state for card in gallery.cards()}["+ Lora/look.safetensors"] == "on")
            assert gallery._mailbox.spec.loras == ((str(paths["+ Lora/look.safetensors"]), 1.0),)
            assert gallery._mailbox.info is not None and [lora.name for lora in gallery._mailbox.info.loras] == ["look"]
    assert {path: path.read_bytes() for path in others.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("libraries_at_hand")
def test_a_file_that_is_dropped_in_is_offered_put_on_and_paints(tmp_path: Path) -> None:
    """Through all of it: the watch, the headers, the swap, and the painter's own process, with real files."""
    folder = tiny_folder(tmp_path / "checkpoints" / "sd", "sd1")
    (tmp_path / "loras").mkdir()
    (tmp_path / "embeddings").mkdir()
    spec = PainterSpec("sd", size=(256, 192), steps=1, device="cpu", threads=1, profile=str(tmp_path))
    mailbox = SwapMailbox(open_carefully, spec, libraries=LIBRARIES)
    session, watch = Session(Desktop(spec.size), mailbox), Watch(tmp_path, rest_s=0.1)
    setattr(session.desktop, "say", lambda line: None)  # noqa: B010 - or it would stand on the screen
    gallery = Gallery(session, mailbox, lambda: facts(spec), lambda: Memory(16_000.0), lambda name: spec, tmp_path / "pictures", CheckpointNotes(tmp_path))

    def until(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, [mailbox.status, mailbox.latest, gallery.cards()]
            session.step((), session.desktop.t)
            if (news := watch.news()) is not None:
                session.desktop.offer(news.checkpoints)
                gallery.wardrobe.offered = news.loras
            gallery.follow()
            time.sleep(0.01)

    def state(row: str) -> str:
        return {card.facts.name: card.state for card in gallery.cards()}.get(row, "missing")

    def shown() -> np.ndarray:
        return session.settle(60).pixels.astype(int)


    try:
        until(lambda: state("sd") == "painting")
        plain = shown()
        checkpoint = open_checkpoint(folder)
        assert isinstance(checkpoint, PromptedCheckpoint)
        pipeline = checkpoint.pipeline
        tiny_lora(pipeline).write(tmp_path / "loras" / "rounder.safetensors")
        wrong = tiny_lora(pipeline)
        Lora({name: tensor[:, :-1] if "lora_A" in name else tensor for name, tensor in wrong.tensors.items()}).write(tmp_path / "loras" / "wrong.safetensors")
        until(lambda: state(ROUND) == state("+ wrong.safetensors") == "" and not gallery.busy)
        gallery.choose("+ wrong.safetensors")
        until(lambda: state("+ wrong.safetensors") == "refused")
        assert "does not fit this checkpoint" in gallery.cards()[-1].why and np.array_equal(shown(), plain)
        gallery.choose(ROUND)
        until(lambda: state(ROUND) == "on")
        assert mailbox.info is not None and [lora.name for lora in mailbox.info.loras] == ["rounder"]
        with_it = shown()
        session.desktop.prefer("loras", {"rounder": 0.0})
        without = shown()  # it began at other latents than the first frame
        assert np.abs(without - plain).mean() < 5 < 20 < np.abs(with_it - plain).mean()
        gallery.choose(ROUND)
        until(lambda: state(ROUND) == "")
        assert mailbox.info.loras == () and np.array_equal(shown(), without)
    finally:
        watch.close()
        session.close()


def test_the_window_is_told_of_them_and_starts_with_what_was_on(tmp_path: Path) -> None:
    with Profile.open(tmp_path) as profile:
        row = tiny_folder(profile.checkpoints / "sd", "sd1").name
        path = profile.loras / "rounder.safetensors"
        path.touch()
        CheckpointNotes(tmp_path).keep_worn(row, [str(path)])
        CheckpointNotes(tmp_path).keep_weights(row, {"rounder": 0.3})
        chosen = Choice(profile=tmp_path, checkpoint=row, device="cpu")
        with _session(chosen, profile, open_settings(profile.settings_path)) as (session, gallery, _), _watched(session, gallery, profile) as look:
            assert gallery._mailbox.spec.loras == ((str(path), 0.3),) and session.desktop.loras == {"rounder": 0.3}
            end = time.monotonic() + 20
            Lora({"unet.x.lora_A.weight": torch.zeros(4, 8), "unet.x.lora_B.weight": torch.zeros(8, 4)}).write(profile.loras / "wood.safetensors")
            while WOOD not in gallery.names():
                assert time.monotonic() < end
                look()
                time.sleep(0.02)
        said = Choice(profile=tmp_path, checkpoint=row, device="cpu", lora=[f"{path.parent / 'wood.safetensors'}:0.5"])
        with _session(said, profile, open_settings(profile.settings_path)) as (session, gallery, _):
            assert session.desktop.loras == {"wood": 0.5}, "what is said counts"
