"""Tables of words, and settings, that once took a reader too long, too much or down: each is refused in one message, within the bounds."""

from __future__ import annotations

import base64
import json
import string
import struct
import tracemalloc
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from engine.errors import CheckpointError
from models import vocabularies
from models.configs import bounded
from models.plain_files import parsed, read_json
from models.prompted.opening import tokenizer_of
from models.readers import READERS, reader
from models.vocabularies import MOST_VALUES
from tests.fuzz_targets import TARGETS
from tests.fuzz_words import SPELLING, UNITS, said, save_one_table
from tests.fuzzing import outcome
from tests.tiny_words import save_gemma, save_mistral, save_smollm

PIECES, EYES, NET = "t5's pieces spiece.model", "qwen's eyes preprocessor_config.json", "diffusers.UNet2DConditionModel"
ONE, SEES = "clip's one table tokenizer.json", "transformers.Qwen2_5_VLForConditionalGeneration"


def told(name: str, **changes: Any) -> bytes:
    """A sound input, its settings changed."""
    return json.dumps({**json.loads(TARGETS[name].seeds[0]), **changes}).encode()


def spelled(table: bytes) -> bytes:
    """Pieces with that table of spellings behind them."""
    return said(1, said(1, b"e")) + said(3, said(2, table))


def trie(**units: int) -> bytes:
    """The sound table, with other units in places that are given as `at_N`."""
    held = {**UNITS, **{int(place.removeprefix("at_")): unit for place, unit in units.items()}}
    return struct.pack("<513I", 2048, *(held.get(place, 0) for place in range(512))) + b"b\0"


def charsmap(table: bytes) -> bytes:
    """The same in the newer library's table."""
    return told("t5 tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()})


LETTERS = string.ascii_letters[:26]
LARGE = (("GemmaTokenizer", save_gemma), ("PixtralProcessor", save_mistral), ("PreTrainedTokenizerFast", save_smollm), ("CLIPTokenizer", save_one_table))
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "merges without end": ("qwen merges.txt", b"t h\n" * 2**19, "holds more than _ lines"),
    "CLIP's merges without end": ("clip merges.txt", b"t h\n" * 2**19, "holds more than _ lines"),
    "merges that are no text": ("qwen merges.txt", b"t \xff\n", "is no text"),
    "merges of hundreds of megabytes": ("qwen merges.txt", b"t h" + b" " * 2**24, "is larger than _ MB"),
    "pieces without end": (PIECES, b"\x0a\x00" * 2**20, "more than _ fields"),
    "a piece of fields without end": (PIECES, said(1, b"\x12\x00" * 2**18), "more than _ fields"),
    "a number that breaks off": (PIECES, b"\x0a\x83", "begins a number without end"),
    "spellings that lead out": (PIECES, spelled(trie(at_0=0x1FF << 12)), "leads nowhere"),
    "spellings that lead out later": (PIECES, spelled(trie(at_353=0x3FF << 10 | 97)), "leads nowhere"),
    "a spelling behind the texts": (PIECES, spelled(trie(at_256=1 << 31 | 3)), "names a text that is not there"),
    "a spelling within a letter": (PIECES, spelled(trie(at_256=1 << 31 | 1)[:-2] + "é\0".encode()), "names a text that is not there"),
    "spellings that break off": (PIECES, spelled(SPELLING[:1000]), "is cut off"),
    "spellings that lead out, in the newer table": ("t5 tokenizer.json", charsmap(trie(at_0=0x1FF << 12)), "precompiled_charsmap is damaged"),
    "a table without a word for what is unknown": ("clip vocab.json", b"{}", "describes nothing that can be built"),
    "another one": ("qwen vocab.json", b'{"a": 0}', "do not fit together"),
    "words of one number": (ONE, told(ONE, model={"vocab": dict.fromkeys(map(str, range(2**19 + 1)), 7), "merges": []}), "must number them"),
    "words that stand twice, far in": (ONE, b'{"model": {"vocab": {"\\":{,": 1, "b": {"c": [[{"d": 1, "\\u0064": 2}]]}}}}', "a name stands twice"),
    "a table of words that is none": (ONE, b'{"model": true}', "must number them"),
    "merges that are no pairs": (ONE, b'{"model": {"vocab": {"a": 1}, "merges": [7]}}', "must number them"),
    "added words that are no list": (ONE, told(ONE, added_tokens=0.5), "sound"),
    "an added word that is none": (ONE, told(ONE, added_tokens=[{"id": 1, "content": []}]), "words can be added"),
    "added words that are books": ("mistral tokenizer.json", told("mistral tokenizer.json", added_tokens=[{"id": i, "content": f"{i}" * 900} for i in range(4096)]), "words can be added"),
    "a picture made huge": (EYES, told(EYES, min_pixels=2**25, max_pixels=2**25), "min_pixels is _; whole numbers up to"),
    "a picture shown 64 times": (EYES, told(EYES, temporal_patch_size=64), "temporal_patch_size is _; whole numbers up to"),
    "a picture of huge patches": (EYES, told(EYES, patch_size=64, merge_size=64), "merge_size is _; whole numbers up to"),
    "a schedule of a million steps": ("diffusers.EulerDiscreteScheduler", told("diffusers.EulerDiscreteScheduler", trained_betas=None, beta_schedule="squaredcos_cap_v2", num_train_timesteps=2**20), "num_train_timesteps is _; at most"),
    "texts by the million": ("smollm tokenizer.json", b'{"" ' + b'""              ' * 1_100_000, "is not JSON as it must be"),
    "a number format that is a list": ("transformers.T5EncoderModel", told("transformers.T5EncoderModel", dtype=[]), "its settings do not fit T_EncoderModel"),
    "eyes without a ground": (SEES, told(SEES, vision_config={"depth": 2**20}), "depth is _; at most"),
    "layers within layers": (NET, told(NET, layers_per_block=1, transformer_layers_per_block=120), "layers; at most _ are allowed, _ of them nested"),
    "layers within layers on the way up": (NET, told(NET, layers_per_block=1, reverse_transformer_layers_per_block=[[120], [1]]), "layers; at most _ are allowed, _ of them nested"),
    "blocks beside blocks": (NET, told(NET, block_out_channels=[32] * 120, down_block_types=["CrossAttnDownBlock2D"] * 120, up_block_types=["CrossAttnUpBlock2D"] * 120), "of them nested"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_broke_a_reader_once_is_refused(case: str) -> None:
    name, data, message = REFUSED[case]
    assert message in outcome(TARGETS[name], data)


def test_layers_on_the_way_down_and_up_are_not_counted_within_each_other() -> None:
    """As of SSD-1B's U-Net, whose halves are unlike."""
    halves = {"transformer_layers_per_block": [1, 2, 4], "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1]}
    config = {"layers_per_block": 2, "down_block_types": ["DownBlock2D", *["CrossAttnDownBlock2D"] * 2], **halves}
    assert bounded(config, Path("config.json")) == config
    with pytest.raises(CheckpointError, match="asks for 96 layers"):
        bounded({**config, "reverse_transformer_layers_per_block": [[4, 4, 16], [2, 1, 1], 1]}, Path("config.json"))


def test_a_table_as_large_as_gemmas_is_read() -> None:
    """580,604 merges, as newer libraries save them: two texts each."""
    table = parsed(b'{"merges": [["a", "b"]' + b',["a", "b"]' * 580_603 + b"]}", Path("tokenizer.json"), MOST_VALUES)
    assert len(table["merges"]) == 580_604


def enlarged(path: Path) -> int:
    """A sound table, with a word of three letters for every 26 of these, and each way to join it. How many words it holds then."""
    table = json.loads(path.read_text())
    words, merges = table["model"]["vocab"], [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in table["model"]["merges"]]
    for more in map("".join, (*product(LETTERS, repeat=2), *product(LETTERS, repeat=3))):
        words.setdefault(more, len(words))
        merges += [(more[:cut], more[cut:]) for cut in range(1, len(more))]
    table["model"]["merges"] = list(dict.fromkeys(merges))
    path.write_text(json.dumps(table, indent=2))
    return len(words)


@pytest.mark.parametrize(("kind", "save"), LARGE)
def test_a_large_table_is_read_once_and_let_go(kind: str, save: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Python's own count. What the library takes in Rust is the same for every way to read."""
    folder, reads = tmp_path / "words", list[str]()
    save(folder)
    read = partial(reader, kind, folder) if kind in READERS else partial(tokenizer_of, folder)
    read()  # the library takes in what it needs
    words = enlarged(folder / "tokenizer.json")
    monkeypatch.setattr(vocabularies, "read_json", lambda path, *most: reads.append(path.name) or read_json(path, *most))
    tracemalloc.start()
    try:
        made = read()
        kept, most = (taken / words for taken in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
    assert reads.count("tokenizer.json") == 1 and len(made("abc" * 4)["input_ids"]) < 10
    assert most < 500 and kept < 100, "bytes a word"  # of which the file itself is a third
