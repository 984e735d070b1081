"""LoRAs on open checkpoints: as the stock pipelines wear them, and as a user weighs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.errors import CheckpointError, InputError
from engine.events import Ask, Click, Down, Key, Move, Up
from engine.mailbox import DirectMailbox
from engine.painter import PainterSpec, PaintRequest, Words
from engine.scene import find
from engine.session import Session
from models.catalog import dressed, open_painter
from models.families import FAMILIES
from models.loras.samplers import AUTO, OWN, fast_sampler
from models.loras.wearing import takes_loras
from models.reference.painter import ReferencePainter
from tests.test_families import SPEC, opened, painter_of, request, stock
from tests.test_painters import SIZE
from tests.test_references import PART, small_pictures  # noqa: F401 - a fixture of every test here
from tests.test_references import opened as reference_opened
from tests.test_references import request as reference_request
from tests.tiny_families import folder_of
from tests.tiny_loras import WORDS, Lora, as_kohya, merged, scaled, tiny_lora
from ui.options import Choice

PLAIN = Words("dark blue")
WORN = [row.name for row in FAMILIES if not row.references and takes_loras(row)]
SPELLED = {"z-image-turbo": "diffusion_model"}  # how a file for it calls the denoiser; the others as diffusers does
REFERENCES = [row.name for row in FAMILIES if row.references and takes_loras(row)]


@pytest.fixture(scope="module")
def home(checkpoints: Path) -> Path:
    for name in WORN:
        folder_of(checkpoints, name)
    return checkpoints


def lora_of(folder: Path, to: Path, change: Callable[[Lora], Lora] = lambda lora: lora, seed: int = 0) -> Path:
    return change(tiny_lora(pipeline_of(folder), seed)).write(to)


@cache
def pipeline_of(folder: Path) -> Any:
    """To read the names and shapes of layers off."""
    return opened(folder).pipeline


def wears(*files: tuple[Path, float]) -> Callable[[Any], None]:
    """Put LoRAs on a stock pipeline, the library's own way."""

    def prepare(pipeline: Any) -> None:
        for i, (path, _) in enumerate(files):
            pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=f"x{i}")
        pipeline.set_adapters([f"x{i}" for i in range(len(files))], [weight for _, weight in files])

    return prepare


def given(*files: tuple[Path, float]) -> tuple[tuple[str, float], ...]:
    return tuple((str(path), weight) for path, weight in files)


@pytest.mark.parametrize("family", WORN)
def test_the_whole_frame_is_the_stock_pipelines_with_the_same_loras(home: Path, tmp_path: Path, family: str) -> None:
    files = (lora_of(home / family, tmp_path / "a.safetensors"), 0.8), (lora_of(home / family, tmp_path / "b.safetensors", seed=1), -0.4)
    painter = painter_of(home / family, steps=1, loras=given(*files))
    assert [(lora.name, lora.weight, len(lora.sha256)) for lora in painter.info.loras] == [("a", 0.8, 64), ("b", -0.4, 64)]
    asked = request(words=PLAIN)
    found = painter.frame(asked)
    assert (stock(home / family, painter, asked, wears(*files)) - found).abs().max() <= 1e-4
    bare = stock(home / family, painter, asked)
    assert (found - bare).abs().max() > 0.01
    nothing = replace(asked, weights=(("a", 0.0), ("b", 0.0)))
    assert (painter.frame(nothing) - bare).abs().max() <= 1e-4 and [lora.weight for lora in painter.info.loras] == [0, 0]


def test_every_flavour_counts_as_much_as_in_the_stock_pipeline(home: Path, tmp_path: Path) -> None:
    """As sd-scripts saves it, with an alpha; as diffusers does, scaled in words, by the rank and by the root of it."""
    flavours: tuple[Callable[[Lora], Lora], ...] = (
        lambda lora: as_kohya(lora, 2), lambda lora: scaled(lora, lora_alpha=8), lambda lora: scaled(lora, lora_alpha=8, use_rslora=True),
    )  # fmt: skip
    files = [(lora_of(home / "sd1", tmp_path / f"{i}.safetensors", change=flavour, seed=i), 0.5 - i) for i, flavour in enumerate(flavours)]
    painter = painter_of(home / "sd1", steps=1, loras=given(*files))
    asked = request(words=PLAIN)
    assert (stock(home / "sd1", painter, asked, wears(*files)) - painter.frame(asked)).abs().max() <= 1e-4


@pytest.mark.parametrize(("family", "words", "ranks", "alphas"), [
    ("sd1", ("q_proj", "fc1"), (4,), (4,)), ("sd1", ("q_proj",), (4, 8), (4, 2, 1)), ("sdxl", WORDS, (4, 8), (2, 4, 1)),
])  # fmt: skip
def test_text_encoders_layers_count_as_much_as_their_alphas_say(
    home: Path, tmp_path: Path, family: str, words: tuple[str, ...], ranks: tuple[int, ...], alphas: tuple[float, ...]
) -> None:
    """Against the weights with the LoRA added by hand: the library's own way takes one alpha for nearly all, and q only beside `out_proj`."""
    lora = tiny_lora(pipeline_of(home / family), words=words, ranks=ranks)
    path = as_kohya(lora, *alphas).write(tmp_path / "a.safetensors")
    painter = painter_of(home / family, steps=1, loras=given((path, 0.5)))
    asked = request(words=PLAIN)
    found = painter.frame(asked)
    assert (stock(home / family, painter, asked, lambda pipeline: merged(pipeline, lora, 0.5, *alphas)) - found).abs().max() <= 1e-4
    assert (painter.frame(replace(asked, weights=(("a", 0.1),))) - found).abs().max() > 1e-3  # words are encoded anew then
    assert torch.equal(painter.frame(replace(asked, weights=(("a", 0.5),))), found)


@pytest.mark.parametrize(("family", "name", "scheduler"), [
    ("sd1", "lcm-lora-sdv1-5", diffusers.LCMScheduler), ("sdxl", "lcm-lora-sdxl", diffusers.LCMScheduler),
    ("sd1", "hyper-sd15-4steps-lora", diffusers.DDIMScheduler), ("sdxl", "hyper-sdxl-4steps-lora", diffusers.DDIMScheduler),
    ("sdxl", "sdxl_lightning_4step_lora", diffusers.EulerDiscreteScheduler), ("sd-control", "lcm-lora-sdv1-5", diffusers.LCMScheduler),
])  # fmt: skip
def test_a_lora_that_wants_few_steps_changes_the_sampler(home: Path, tmp_path: Path, family: str, name: str, scheduler: Any) -> None:
    file = lora_of(home / family, tmp_path / f"{name}.safetensors"), 1.0
    painter = painter_of(home / family, loras=given(file))
    assert painter.info.steps == 4 and painter.family.guidance == 1
    other = {} if scheduler is diffusers.LCMScheduler else {"timestep_spacing": "trailing"}
    other |= {"clip_sample": False} if scheduler is diffusers.DDIMScheduler else {}  # which settings of another scheduler need not tell

    def prepare(pipeline: Any) -> None:
        wears(file)(pipeline)
        pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config, **other)

    asked = request(words=PLAIN)
    assert (stock(home / family, painter, asked, prepare) - painter.frame(asked)).abs().max() <= 1e-4
    for weight, sampler in ((1.0, "own"), (0.0, "auto")):  # one that has no weight asks for nothing
        row = dressed(opened(home / family), replace(SPEC, loras=given((file[0], weight)), sampler=sampler)).row
        assert row.steps == 8 and row.guidance == 5


def test_which_sampler_a_name_asks_for() -> None:
    rows = {row.name: row for row in FAMILIES}

    def told(family: str, *hints: str, wish: str = AUTO) -> tuple[str, int, float]:
        sampler = fast_sampler(wish, hints, rows[family])
        row = sampler.row(rows[family]) if sampler else rows[family]
        return sampler.name if sampler else "", row.steps, row.settings.get("true_cfg_scale", row.guidance)

    assert told("sd1", "pixel art") == ("", 8, 5.0) == told("sd1", "calm couture") == told("sd1", "hyperreal skin")
    assert told("sd1", "pixel art", "hyper-sd15-2steps-lora") == ("hyper", 2, 1.0)
    assert told("sdxl", "hyper-sdxl-8steps-cfg-lora") == ("hyper", 8, 5.0)
    assert told("sdxl", "sdxl_lightning_4step_lora") == ("lightning", 4, 1.0)
    assert told("sd-turbo", "lcm-lora") == ("", 1, 0.0)
    assert told("qwen-edit", "qwen-image-lightning-8steps-v1.1") == ("lightning", 8, 1.0)
    assert told("flux", "hyper-flux.1-dev-8steps-lora") == ("hyper", 8, 3.5)
    assert told("sd1", "lcm", wish=OWN)[0] == "" and told("sd1", "pixel art", wish="tcd")[0] == "tcd"
    for family, wish in (("sd1", "ddim"), ("lcm", "tcd")):
        with pytest.raises(CheckpointError, match="--sampler"):
            told(family, "", wish=wish)


@pytest.mark.parametrize("family", REFERENCES)
def test_reference_painters_wear_them_too(checkpoints: Path, tmp_path: Path, family: str) -> None:
    checkpoint = reference_opened(folder_of(checkpoints, family))  # whose pipeline is the library's own
    pipeline = checkpoint.pipeline
    lora = tiny_lora(pipeline)
    named = {name.replace("transformer", SPELLED.get(family, "transformer"), 1): tensor for name, tensor in lora.tensors.items()}
    path = Lora(named).write(tmp_path / "a.safetensors")
    spec = PainterSpec(str(path), given((path, 0.9)), size=SIZE, seed=5, threads=1, device="cpu", steps=1)
    asked = reference_request(1)
    try:
        wears((path, 0.9))(pipeline)
        expected = ReferencePainter(checkpoint, spec).frame(asked)
        pipeline.unload_lora_weights()
        painter = ReferencePainter(dressed(checkpoint, spec), spec)
        found = painter.frame(asked)
        assert (expected - found).abs().max() <= 1e-4
        assert (painter.frame(replace(asked, weights=(("a", 0.0),))) - found).abs().max() > 1e-3
    finally:
        pipeline.unload_lora_weights()


def test_families_that_take_none_say_so(tmp_path: Path, home: Path) -> None:
    path = lora_of(home / "sd1", tmp_path / "a.safetensors")
    others = [(str(folder_of(home, row.name)), f"{row.title} takes no LoRAs") for row in FAMILIES if not takes_loras(row)]
    for checkpoint, message in (("bundled", "bundled takes no LoRAs"), ("guide", "guide takes no LoRAs"), *others):
        with pytest.raises(CheckpointError, match=message):
            open_painter(PainterSpec(checkpoint, given((path, 1.0)), size=SIZE, device="cpu"))


def test_a_weight_is_changed_in_settings_while_it_paints(home: Path, tmp_path: Path) -> None:
    path = lora_of(home / "sd1", tmp_path / "rounder.safetensors")
    spec = replace(SPEC, checkpoint=str(home / "sd1"), steps=1, size=(320, 256), loras=given((path, 0.1)))
    desktop = Desktop(spec.size, Documents())
    desktop.prefer("loras", dict(spec.weights))
    asked: list[PaintRequest] = []
    painter = open_painter(spec)
    paint = painter.paint
    painter.paint = lambda request: (asked.append(request), paint(request))[1]  # type: ignore[method-assign, func-returns-value]
    session = Session(desktop, DirectMailbox(painter))
    session.step([Ask(0.1, "settings"), Click(0.2, "System")], 0.3)
    before = session.step([Key(0.4, "end")], 0.4).pixels.copy()
    seen = session.step([Click(0.5, "Less rounder")], 0.6)
    assert asked[-1].weights == (("rounder", 0.0),) and painter.info.loras[0].weight == 0.0
    assert seen.damage == ((0, 0, *spec.size),) and (seen.pixels != before).mean() > 0.2
    assert any(widget.text == "rounder 0.00" for widget in desktop.widgets)
    slider = next(widget for widget in desktop.widgets if widget.role == "slider" and widget.name == "Weight of rounder")
    x, y, w, h = slider.rect
    session.step([Down(0.7, "left", x + w // 3, y + h // 2), Move(0.8, x + w - 1, y + h // 2), Up(0.9, "left", x + w - 1, y + h // 2)], 0.9)
    assert asked[-1].weights == (("rounder", 2.0),) and painter.info.loras[0].weight == 2.0
    session.step([Key(1.0, "left")], 1.0)
    assert asked[-1].weights == (("rounder", 1.95),) and find(desktop.widgets, slider.path).value == 1.95
    assert "rounder" not in " ".join(desktop.known())  # it is no word for a checkpoint


def test_the_command_line_takes_files_and_names(tmp_path: Path) -> None:
    (tmp_path / "loras").mkdir()
    own, other = tmp_path / "loras" / "wood.safetensors", tmp_path / "wood.safetensors"
    for path in (own, other):
        path.write_bytes(b"")
    choice = Choice(lora=["wood:0.6", f"{other}:-1"], profile=tmp_path, sampler="lcm")
    spec = choice.spec()
    assert spec.loras == ((str(own), 0.6), (str(other), -1.0)) and spec.sampler == "lcm"
    assert spec.weights == (("wood", 0.6), ("wood 2", -1.0))
    assert choice.weighed == (True, True) and replace(choice, lora=["wood", "wood:2"]).weighed == (False, True)
    for text, message in (("nowhere.safetensors:1", "there is no LoRA file"), (f"{other}:99", "a weight of 99 cannot be")):
        with pytest.raises(InputError, match=message):
            replace(choice, lora=[text]).spec()
