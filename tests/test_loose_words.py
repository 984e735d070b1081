"""A tokenizer's folder beside a text encoder whose words do not ship here, and denoisers that are told from one another by their tensors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import CheckpointError
from models.check import check
from tests.hostile import PICKLE
from tests.one_denoiser import flux_tensors
from tests.one_file import part
from tests.test_loose import CALLED, comfy, laid_apart, laid_out, opened, written  # noqa: F401 - one is a fixture
from tests.test_references import small_pictures  # noqa: F401 - a fixture of every test here
from tests.test_single_files import home, layouts, painted  # noqa: F401 - two are fixtures

ENCODER = CALLED["flux2"]["text_encoder"]


def words_of(comfy: Path) -> Path:  # noqa: F811
    return comfy / "text_encoders" / ENCODER


def test_they_may_lie_in_a_folder_called_tokenizer(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    folder = laid_out(home, "flux2")
    file = laid_apart(folder, "flux2", comfy)
    expected = painted(opened(file, tmp_path / "profile"))
    words_of(comfy).rename(words_of(comfy).with_name("tokenizer"))
    assert torch.equal(painted(opened(file, tmp_path / "profile")), expected)


def test_a_whole_mistral_by_its_older_names_gives_the_layers_that_are_asked(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    folder = laid_out(home, "flux2")
    file = laid_apart(folder, "flux2", comfy)
    expected = painted(opened(file, tmp_path / "profile"))
    whole = part(folder, "text_encoder")
    assert any(key.startswith("vision_tower.") for key in whole) and "language_model.model.norm.weight" in whole
    written(words_of(comfy).with_suffix(".safetensors"), whole)
    found = opened(file, tmp_path / "profile")
    assert torch.equal(painted(found), expected)
    assert not any("vision" in key or "lm_head" in key for key in found.parts["text_encoder"].state_dict())


def test_what_lacks_is_said_with_where_to_put_it(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    file = laid_apart(laid_out(home, "flux2"), "flux2", comfy)
    place = words_of(comfy)
    shutil.rmtree(place)
    with pytest.raises(CheckpointError) as refused:
        opened(file, tmp_path / "profile")
    said = str(refused.value)
    assert f"the tokenizer of {ENCODER}.safetensors (a folder with its tokenizer.json and tokenizer_config.json) as {place} or {place.with_name('tokenizer')}" in said
    place.with_suffix(".safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"or a Mistral text encoder of width 16 \(often called mistral_3_small\) with its tokenizer's folder beside it .* into its text_encoders folder$"):
        opened(file, tmp_path / "profile")


def table(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def hurt(words: Path) -> None:
        told = json.loads((words / "tokenizer.json").read_text())
        change(told)
        (words / "tokenizer.json").write_text(json.dumps(told))

    return hurt


def led_away(words: Path) -> None:
    shutil.move(words, words.parent.parent / "away")
    words.symlink_to(words.parent.parent / "away")


def named_away(words: Path) -> None:
    shutil.move(words / "tokenizer.json", words.parent.parent / "away.json")
    (words / "tokenizer.json").symlink_to(words.parent.parent / "away.json")


HOSTILE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "code": (lambda words: (words / "tokenization.py").write_text("x"), "is code"),
    "a class of its own": (lambda words: (words / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["x.Y", null]}}'), "names code to be run"),
    "another template": (lambda words: (words / "other.jinja").write_text("x"), "is code: a template"),
    "a pickle": (lambda words: (words / "tokenizer.bin").write_bytes(PICKLE), "is a pickle"),
    "a link that leads away": (led_away, "links outside"),
    "a file that is elsewhere": (named_away, "links outside"),
    "an unknown expression": (table(lambda told: told["pre_tokenizer"]["pretokenizers"][0]["pattern"].update(Regex="(a+)+$")), "splits words by an expression"),
    "a word beyond all tables": (table(lambda told: told["model"]["vocab"].update(x=2**40)), "must number them"),
    "no settings": (lambda words: (words / "tokenizer_config.json").unlink(), "holds no tokenizer_config.json"),
    "no table": (lambda words: (words / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "a table that is too large": (lambda words: (words / "tokenizer.json").write_bytes(b" " * (64 * 2**20 + 1)), "larger than 64 MB"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_words_that_are_hostile_are_refused(home: Path, tmp_path: Path, comfy: Path, name: str) -> None:  # noqa: F811
    hurt, message = HOSTILE[name]
    file = laid_apart(laid_out(home, "flux2"), "flux2", comfy)
    hurt(words_of(comfy))
    with pytest.raises(CheckpointError, match=message) as refused:
        opened(file, tmp_path / "profile")
    assert "\n" not in str(refused.value) and str(words_of(comfy)) in str(refused.value)


def test_a_template_beside_them_is_never_applied(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    file = laid_apart(laid_out(home, "flux2"), "flux2", comfy)
    expected = painted(opened(file, tmp_path / "profile"))
    (words_of(comfy) / "chat_template.jinja").write_text("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}")
    assert torch.equal(painted(opened(file, tmp_path / "profile")), expected)


@pytest.mark.parametrize("kind", ["weight", "scale"])
def test_longcat_by_the_names_of_flux_is_the_same(home: Path, tmp_path: Path, comfy: Path, kind: str) -> None:  # noqa: F811
    file = laid_apart(laid_out(home, "longcat-edit"), "longcat-edit", comfy)
    expected = painted(opened(file, tmp_path / "profile"))
    own = {key.replace("time_embed.", "time_text_embed."): tensor for key, tensor in load_file(file).items()}
    trained = {key.replace("_norm.scale", f"_norm.{kind}"): tensor for key, tensor in flux_tensors(own).items()}
    assert "double_blocks.0.img_attn.qkv.weight" in trained and f"double_blocks.0.img_attn.norm.key_norm.{kind}" in trained
    written(file, trained)
    found = opened(file, tmp_path / "profile")
    assert found.family == "longcat-edit" and torch.equal(painted(found), expected)
    verdict = check(file.name, str(tmp_path / "profile"), paint=False)
    assert verdict.loadable and verdict.family == "longcat-edit"
