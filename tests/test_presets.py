"""Presets: real architectures by their published sizes, random weights, and a painter of each kind that paints."""

from __future__ import annotations

from functools import partial
from typing import Any

import diffusers
import numpy as np
import pytest
import transformers
from accelerate import init_empty_weights
from torch import nn

from engine.errors import InputError
from engine.painter import PainterSpec
from models import presets
from models.catalog import open_painter
from models.presets import NAMES, PRESETS, random_name
from models.single_file import Network
from tests.test_painters import ask, drawn, empty, show

SIZES = {  # millions of weights of what is run at every step, as published
    "sd-turbo": 866, "sd15-lcm": 860, "sdxl-turbo": 2567, "instruct-pix2pix": 859, "flux2-klein-4b": 3876, "flux1-kontext": 11901,
    "qwen-image-edit": 20430,
}  # fmt: skip


def test_the_presets_are_those_that_are_promised() -> None:
    promised = "bundled sd-mini sd-turbo sd15-lcm sdxl-turbo instruct-pix2pix flux2-klein-4b flux1-kontext qwen-image-edit"
    assert set(NAMES) == set(promised.split())
    with pytest.raises(InputError, match="flux1-kontext"):
        random_name("flux9")


@pytest.mark.parametrize("name", SIZES)
def test_a_preset_has_the_size_of_the_real_one(name: str) -> None:
    parts = PRESETS[name][1]
    network = _made(parts.get("unet") or parts["transformer"])
    assert round(sum(weight.numel() for weight in network.parameters()) / 1e6) == pytest.approx(SIZES[name], abs=1)


def test_the_small_one_is_as_deep_as_the_real_one_and_a_fifth_as_wide() -> None:
    small, real = (_made(PRESETS[name][1]["unet"]) for name in ("sd-mini", "sd-turbo"))
    kinds = [[type(layer) for layer in network.modules()] for network in (small, real)]
    assert kinds[0] == kinds[1]
    assert [5 * width for width in small.config.block_out_channels] == list(real.config.block_out_channels)
    assert set(PRESETS) == {*SIZES, "sd-mini"}


@pytest.mark.parametrize("name", PRESETS)
def test_the_encoders_of_a_preset_fit_its_denoiser(name: str) -> None:
    parts = PRESETS[name][1]
    made = {part: _made(parts[part]) for part in ("unet", "transformer", "text_encoder", "text_encoder_2") if part in parts}
    denoiser = made.get("unet", made.get("transformer"))
    width = denoiser.config.get("cross_attention_dim") or denoiser.config["joint_attention_dim"]
    widths = [_width(made[part]) for part in ("text_encoder", "text_encoder_2") if part in made]
    assert width in (sum(widths), 3 * widths[0], widths[-1])  # side by side, three layers of one, or the last


def test_a_preset_paints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the very code that makes the real size; only the numbers are smaller."""
    text = transformers.CLIPTextConfig(
        hidden_size=32, intermediate_size=32, num_attention_heads=2, num_hidden_layers=1, vocab_size=49408, bos_token_id=49406,
        eos_token_id=49407, pad_token_id=49407,
    )  # fmt: skip
    small: dict[str, Any] = {
        **PRESETS["sd-turbo"][1], "text_encoder": lambda: transformers.CLIPTextModel(text),
        "vae": partial(diffusers.AutoencoderTiny, encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4),
        "unet": partial(diffusers.UNet2DConditionModel, sample_size=64, block_out_channels=(32,) * 4, attention_head_dim=8, cross_attention_dim=32,
                        use_linear_projection=True),
    }  # fmt: skip
    monkeypatch.setattr(presets, "PRESETS", {"sd-turbo": ("sd-turbo", small)})
    painter = open_painter(PainterSpec(checkpoint="random:sd-turbo", size=(256, 192), device="cpu", threads=1))
    frame = show(painter, empty(), ask(drawn(1)))
    assert painter.info.sha256 == "random" and painter.info.family == "sd-turbo"
    assert np.unique(frame).size > 10


def test_the_bundled_preset_paints() -> None:
    painter = open_painter(PainterSpec(checkpoint="random:bundled", size=(256, 192), device="cpu", threads=1, mode="dream"))
    assert show(painter, empty(), ask(drawn(1))).any()


def _made(make: Any) -> nn.Module:
    """A network without memory for its weights."""
    with init_empty_weights():
        made = make()
    network: nn.Module = made.empty() if isinstance(made, Network) else made
    return network


def _width(encoder: nn.Module) -> int:
    config: Any = encoder.config
    return int(getattr(config, "text_config", config).hidden_size)
