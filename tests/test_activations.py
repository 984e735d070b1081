"""What networks hold beside their weights: the estimate grows with the frame, and covers what tiny ones are seen to hold."""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models.activations import held_at_once
from models.catalog import open_checkpoint
from models.check import check
from models.prompted.checkpoint import PromptedCheckpoint
from tests.tiny_families import tiny_folder

SIZE = (512, 384)


class Held(TorchDispatchMode):
    """Counts the bytes of what is computed, as long as anybody holds it. known: weights, which are not counted."""

    def __init__(self, known: torch.nn.Module) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = {weight.untyped_storage().data_ptr() for weight in known.state_dict().values()}
        self._holders: Counter[int] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and (place := tensor.untyped_storage().data_ptr()) not in self._known:
                size = tensor.untyped_storage().nbytes()
                self.now += size if not self._holders[place] else 0
                self._holders[place] += 1
                weakref.finalize(tensor, self._let_go, place, size)
        self.peak = max(self.peak, self.now)
        return made

    def _let_go(self, place: int, size: int) -> None:
        self._holders[place] -= 1
        self.now -= size if not self._holders[place] else 0


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PromptedCheckpoint]:
    home = tmp_path_factory.mktemp("held")
    found = {name: open_checkpoint(tiny_folder(home / name, name)) for name in ("sd1", "sdxl", "flux")}
    return {name: one for name, one in found.items() if isinstance(one, PromptedCheckpoint)}


def run(name: str, part: str, network: Any) -> None:
    """On what it would be given of a frame of SIZE."""
    width, height = SIZE[0] // 8, SIZE[1] // 8
    if part == "vae":
        network.decode(torch.randn(1, network.config.latent_channels, height, width))
    elif part == "unet":
        added = {"text_embeds": torch.randn(1, network.add_embedding.linear_1.in_features - 6 * network.config.addition_time_embed_dim),
                 "time_ids": torch.zeros(1, 6)} if name == "sdxl" else {}  # fmt: skip
        network(torch.randn(1, network.config.in_channels, height, width), 1, torch.randn(1, 77, network.config.cross_attention_dim), added_cond_kwargs=added)
    else:
        tokens, config = width * height // 4, network.config
        network(torch.randn(1, tokens, config.in_channels), torch.randn(1, 512, config.joint_attention_dim), torch.randn(1, config.pooled_projection_dim),
                torch.ones(1), torch.zeros(tokens, 3), torch.zeros(512, 3), torch.ones(1))  # fmt: skip


@pytest.mark.parametrize(("name", "part"), [("sd1", "unet"), ("sd1", "vae"), ("sdxl", "unet"), ("sdxl", "vae"), ("flux", "transformer"), ("flux", "vae")])
def test_the_estimate_covers_what_is_held_and_is_no_wild_guess(opened: dict[str, PromptedCheckpoint], name: str, part: str) -> None:
    network = getattr(opened[name].pipeline, part)
    with torch.no_grad(), Held(network) as held:
        run(name, part, network)
    estimate = 4 * held_at_once({part: network}, SIZE)
    assert held.peak <= estimate <= 3 * held.peak


@pytest.mark.parametrize("name", ["sd1", "sdxl", "flux"])
def test_more_pixels_branches_and_references_need_no_less(opened: dict[str, PromptedCheckpoint], name: str) -> None:
    parts = opened[name].parts
    sizes = [held_at_once(parts, size) for size in ((256, 192), (512, 384), (1024, 768))]
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    assert held_at_once(parts, SIZE, 3, 2) >= held_at_once(parts, SIZE, 2, 1) >= sizes[1]


def test_the_check_of_a_checkpoint_counts_it(opened: dict[str, PromptedCheckpoint], tmp_path_factory: pytest.TempPathFactory) -> None:
    verdict = check(str(tiny_folder(tmp_path_factory.mktemp("checked") / "sd1", "sd1")), paint=False)
    weights = verdict.parameters * 4 / 1e6
    assert verdict.memory_mb == pytest.approx(weights + held_at_once(opened["sd1"].parts, SIZE, branches=2) * 4 / 1e6, abs=0.2)
    assert verdict.memory_mb > 2 * weights
