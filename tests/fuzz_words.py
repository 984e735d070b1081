"""What is fuzzed of words and pictures: every file of a tokenizer's or processor's folder, the others beside it sound."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from engine.errors import CheckpointError
from models.byte_words import save_clip, save_qwen, save_qwen_vl, save_t5
from models.prompted.opening import tokenizer_of
from models.readers import PICTURE, READERS, PictureReader, reader
from tests.fuzzing import Target
from tests.tiny_words import save_gemma, save_mistral, save_smollm

TEXT = "The naïve window: 1,234 ½ ﬁles… \u200b日本 😀\r\n <|im_end|></s> e\u0301"
UNPAINTABLE = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)  # what a probe frame turns into a refusal: `models.catalog.probed`
Folder = dict[str, bytes]  # contents by name


def read_words(kind: str, others: Folder, name: str, data: bytes, folder: Path) -> None:
    """As a file of the folder that a class reads, which then numbers a text and, where it sees, a picture. others: what lies beside it."""
    for other, content in {**others, name: data}.items():
        (folder / other).write_bytes(content)
    made = reader(kind, folder) if kind in READERS else tokenizer_of(folder)
    seen: dict[str, Any] = {"images": [Image.new("RGB", (64, 48))]} if isinstance(made, PictureReader) else {}
    try:
        numbered = made([TEXT + PICTURE * len(seen)], **seen)["input_ids"]
    except UNPAINTABLE as error:
        raise CheckpointError(f"{type(error).__name__}: {error}") from error
    if not all(0 <= number < 2**21 for line in numbered for number in line):
        raise AssertionError("a word has a number that no table has")


def said(field: int, value: bytes) -> bytes:
    """A field of a protocol buffer."""
    length, rest = bytearray(), len(value)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    return bytes([field << 3 | 2, *length, rest]) + value


def save_pieces(folder: Path) -> str:
    """T5's table as older folders hold it, in SentencePiece's own form."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁the", -3.0), ("e", -5.0)]
    folder.mkdir()
    message = b"".join(said(1, said(1, text.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18\x01") for text, score in pieces)
    (folder / "spiece.model").write_bytes(message + said(3, said(1, b"nmt_nfkc") + said(2, SPELLING)))
    return "T5Tokenizer"


def save_one_table(folder: Path) -> str:
    """CLIP's words and merges in the one table that newer libraries save."""
    save_clip(folder)
    words = json.loads((folder / "vocab.json").read_text())
    for old in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (folder / old).unlink()
    model = {"type": "BPE", "vocab": {**words, "th": len(words)}, "merges": ["t h"]}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model, "added_tokens": [{"id": 513, "content": "<|endoftext|>"}]}))
    (folder / "special_tokens_map.json").write_text(json.dumps({"pad_token": {"content": "!"}}))
    return "CLIPTokenizer"


def _rows() -> dict[str, Target]:
    """A row for every file of every folder."""
    rows = {}
    for called, save in FOLDERS.items():
        with tempfile.TemporaryDirectory() as home:
            kind = save(Path(home) / "words")
            files = {path.name: path.read_bytes() for path in sorted((Path(home) / "words").iterdir()) if path.suffix != ".jinja"}
        for name, content in files.items():
            rows[f"{called} {name}"] = Target(partial(read_words, kind, files, name), (content,))
    return rows


UNITS = {0: 256 << 10, 256 ^ 97: 97 << 10 | 1 << 8 | 97, 256: 1 << 31}  # of a trie that holds "a": the root, what is led to, and where its text begins
SPELLING = struct.pack("<513I", 2048, *(UNITS.get(place, 0) for place in range(512))) + b"b\0"  # in its place "b" is read
FOLDERS: dict[str, Callable[[Path], str]] = {
    "clip": save_clip, "clip's one table": save_one_table, "qwen": save_qwen, "qwen's eyes": save_qwen_vl, "mistral": save_mistral,
    "smollm": save_smollm, "gemma": save_gemma, "t5": save_t5, "t5's pieces": save_pieces,
}  # fmt: skip
WORDS = _rows()
