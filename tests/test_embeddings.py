"""Textual inversions: words of the user's own, learned by a checkpoint when a style says them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import CheckpointError
from engine.painter import PainterSpec, Words
from models.check import check
from models.embeddings import read_embedding
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.painter import PromptedPainter
from tests.hostile import PICKLE
from tests.test_families import opened, request, stock
from tests.test_painters import SIZE
from tests.tiny_families import WIDTH, tiny_folder

SPEC = PainterSpec(size=SIZE, seed=5, threads=1, device="cpu", steps=1)
SPOKEN = request(words=Words("dark blue, oldwood"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("words")
    for family in ("sd1", "sdxl"):
        tiny_folder(home / family, family)
    return home


def taught(profile: Path, **vectors: torch.Tensor) -> Path:
    (profile / "embeddings").mkdir(parents=True, exist_ok=True)
    path = profile / "embeddings" / "oldwood.safetensors"
    save_file(vectors, path)
    return path


def painter(folder: Path, profile: Path) -> tuple[PromptedPainter, PromptedCheckpoint]:
    checkpoint = opened(folder)
    return PromptedPainter(checkpoint, replace(SPEC, profile=str(profile))), checkpoint


def vectors(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize(("family", "given"), [
    ("sd1", {"emb_params": vectors(3)}), ("sd1", {"<old-wood>": vectors(1)[0]}), ("sdxl", {"clip_l": vectors(2), "clip_g": vectors(2, 1)}),
])  # fmt: skip
def test_a_word_of_the_users_own_is_painted_with(home: Path, tmp_path: Path, family: str, given: dict[str, torch.Tensor]) -> None:
    plain, _ = painter(home / family, tmp_path / "empty")
    taught(tmp_path / "profile", **given)
    found, checkpoint = painter(home / family, tmp_path / "profile")
    frame = found.frame(SPOKEN)
    assert not torch.equal(frame, plain.frame(SPOKEN))
    count = max(len(tensor.view(-1, WIDTH)) for tensor in given.values())
    assert [f"oldwood{end}" in checkpoint.pipeline.tokenizer.get_vocab() for end in ("", f"_{count - 1}" * (count > 1), f"_{count}")] == [True, True, False]
    tokenizer, encoder = checkpoint.pipeline.tokenizer, checkpoint.pipeline.text_encoder
    held = encoder.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids("oldwood")]
    assert torch.equal(held, next(iter(given.values())).view(-1, WIDTH)[0])
    assert torch.equal(plain.frame(request(words=Words("paper"))), found.frame(request(words=Words("paper"))))


def test_what_is_painted_is_the_stock_pipelines(home: Path, tmp_path: Path) -> None:
    taught(tmp_path / "profile", emb_params=vectors(3))
    found, checkpoint = painter(home / "sd1", tmp_path / "profile")
    frame = found.frame(SPOKEN)

    def prepare(pipeline: Any) -> None:
        pipeline.load_textual_inversion({"x": vectors(3)}, token="oldwood")

    assert (stock(home / "sd1", found, SPOKEN, prepare) - frame).abs().max() <= 1e-4


def test_a_word_that_is_not_said_is_never_read(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = taught(tmp_path / "profile", emb_params=vectors(1))
    path.write_bytes(PICKLE)
    found, _ = painter(home / "sd1", tmp_path / "profile")
    plain = found.frame(request(words=Words("paper")))
    assert not capsys.readouterr().err
    assert found.frame(SPOKEN).isfinite().all() and "is a pickle" in capsys.readouterr().err
    assert torch.equal(plain, found.frame(request(words=Words("paper"))))


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "of another width": ({"emb_params": torch.zeros(2, 7)}, "does not fit this checkpoint"),
    "for another family": ({"clip_l": torch.zeros(1, WIDTH), "clip_g": torch.zeros(1, WIDTH)}, "does not fit this checkpoint"),
}
UNSOUND: dict[str, tuple[dict[str, Any], str]] = {
    "too many vectors": ({"emb_params": torch.zeros(76, WIDTH)}, "up to 75 vectors"),
    "no vectors": ({"emb_params": torch.zeros(0, WIDTH)}, "up to 75 vectors"),
    "a cube": ({"emb_params": torch.zeros(1, 2, WIDTH)}, "up to 75 vectors"),
    "whole numbers": ({"emb_params": torch.zeros(1, WIDTH).int()}, "wanted floats"),
    "three tensors": ({name: torch.zeros(1, WIDTH) for name in "abc"}, "is one tensor, or clip_l and clip_g"),
    "a number that is none": ({"emb_params": torch.full((1, WIDTH), float("nan"))}, "not finite"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_does_not_fit_is_left_out_and_said(home: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    given, message = HOSTILE[name]
    taught(tmp_path / "profile", **given)
    found, _ = painter(home / "sd1", tmp_path / "profile")
    assert found.frame(SPOKEN).isfinite().all() and message in capsys.readouterr().err


@pytest.mark.parametrize("name", UNSOUND)
def test_what_is_not_sound_is_refused_and_its_twin_is_read(tmp_path: Path, name: str) -> None:
    given, message = UNSOUND[name]
    with pytest.raises(CheckpointError, match=message):
        read_embedding(taught(tmp_path, **given))
    read = read_embedding(taught(tmp_path, emb_params=torch.zeros(75, WIDTH)))
    assert read.parameters == 75 * WIDTH


def test_models_check_tells_what_it_is_for(tmp_path: Path) -> None:
    taught(tmp_path, emb_params=torch.randn(2, 768))
    verdict = check("oldwood", str(tmp_path))
    assert verdict.loadable and verdict.family == "textual inversion for Stable Diffusion 1.x" and verdict.kind == "embedding"
    assert all(row.state == "sound" for row in verdict.rows)
