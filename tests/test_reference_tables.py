"""What of a reference checkpoint's folder is read, and what is refused: tables of words, settings, templates."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import CheckpointError
from models.catalog import open_painter
from models.pieces import pieces_of
from models.vocabularies import TOKENIZERS
from tests.test_references import SPEC, opened, painter_of, request, small_pictures  # noqa: F401 - a fixture of every test here
from tests.tiny_families import tiny_folder


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def split_by(folder: Path, pattern: str) -> None:
    table = json.loads((folder / "tokenizer" / "tokenizer.json").read_text())
    table["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pattern
    change(folder / "tokenizer" / "tokenizer.json", pre_tokenizer=table["pre_tokenizer"])


HOSTILE: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "an unknown expression": ("flux2", lambda f: split_by(f, "(a+)+$"), "splits words by an expression"),
    "a part of another model": ("flux2", lambda f: change(f / "text_encoder" / "config.json", vision_config={"model_type": "x"}), "model_type 'x'"),
    "settings of another kind": ("klein", lambda f: change(f / "text_encoder" / "config.json", hidden_size=["x"]), "do not fit Qwen3ForCausalLM"),
    "a table without numbers": ("klein", lambda f: change(f / "tokenizer" / "vocab.json", a="b"), "must number them"),
    "a word beyond all tables": ("klein", lambda f: change(f / "tokenizer" / "added_tokens.json", a=2**40), "each with its number"),
    "pairs of unknown words": ("klein", lambda f: (f / "tokenizer" / "merges.txt").write_text("zz yy\n"), "do not fit together"),
    "pieces without scores": ("kontext", lambda f: change(f / "tokenizer_2" / "tokenizer.json", model={"vocab": [["a", "b"]]}), "with their scores"),
    "a patch without bounds": ("qwen-edit", lambda f: change(f / "processor" / "preprocessor_config.json", patch_size=10**6), "up to 64"),
    "another processor": ("qwen-edit", lambda f: change(f / "model_index.json", processor=["os", "system"]), "processor is .*allowed"),
    "code beside a table": ("klein", lambda f: (f / "tokenizer" / "tokenization.py").write_text("x"), "is code"),
}  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_folder_is_refused_in_one_message(tmp_path: Path, hostile: str) -> None:
    family, hurt, message = HOSTILE[hostile]
    folder = tiny_folder(tmp_path / family, family)
    hurt(folder)
    with pytest.raises(CheckpointError, match=message) as refused:
        open_painter(replace(SPEC, checkpoint=str(folder)))
    assert str(folder) in str(refused.value)


def test_pieces_are_read_from_the_older_table_too(tmp_path: Path) -> None:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁the", -3.0), ("e", -5.0)]
    message = b""
    for text, score in pieces:
        body = b"\x0a" + bytes([len(text.encode())]) + text.encode() + b"\x15" + struct.pack("<f", score) + b"\x18\x01"
        message += b"\x0a" + bytes([len(body)]) + body
    (tmp_path / "spiece.model").write_bytes(message + b"\x1a\x06\x0a\x04nmt_")
    assert pieces_of(tmp_path / "spiece.model") == (pieces, b"")
    assert TOKENIZERS["T5Tokenizer"](tmp_path)("the e").input_ids == [4, 3, 5, 1]
    for damage in (message[:-3], b"\xff" * 20, b"\x0f\x01"):
        (tmp_path / "spiece.model").write_bytes(damage)
        with pytest.raises(CheckpointError, match="no table of pieces"):
            pieces_of(tmp_path / "spiece.model")


def test_a_template_that_a_checkpoint_brings_is_never_applied(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "klein", "klein")
    expected = painter_of(folder, steps=1).frame(request())
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}"
    (folder / "tokenizer" / "chat_template.jinja").write_text(endless)
    change(folder / "tokenizer" / "tokenizer_config.json", chat_template=endless)
    opened.cache_clear()
    assert torch.equal(expected, painter_of(folder, steps=1).frame(request()))
