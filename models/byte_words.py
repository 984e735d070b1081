"""Vocabularies that can say every text by its bytes, laid out as checkpoints lay out theirs: for networks of random
weights, which have learned no words."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import transformers
from tokenizers.pre_tokenizers import ByteLevel

START, END = "<|startoftext|>", "<|endoftext|>"
ADDED = (
    END, "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
    "<think>", "</think>",
)  # fmt: skip
JOINED = (("t", "h"), ("th", "e"), ("Ġ", "the"))
CLIP_WORDS = 514  # all that `save_clip` numbers; the last two are START and END


def save_clip(folder: Path) -> str:
    """Every text can be said, and no pair has to be joined. The class's name, as of the others."""
    letters = sorted(ByteLevel.alphabet())
    write_tables(folder, [*letters, *(letter + "</w>" for letter in letters), START, END], ())
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": END}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return "CLIPTokenizer"


def number(added: str) -> int:
    """Of a word that is added to Qwen's vocabulary."""
    return len(ByteLevel.alphabet()) + len(JOINED) + ADDED.index(added)


def save_qwen(folder: Path) -> str:
    """Its words in two tables, the added ones in a third."""
    write_tables(folder, [*sorted(ByteLevel.alphabet()), *("".join(pair) for pair in JOINED)], JOINED)
    added = {word: number(word) for word in ADDED}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    rows = {str(number): {"content": word, "special": True, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
            for word, number in added.items()}  # fmt: skip
    settings: dict[str, Any] = {
        "tokenizer_class": "Qwen2Tokenizer", "model_max_length": 4096, "pad_token": END, "eos_token": "<|im_end|>",
        "unk_token": None, "bos_token": None, "added_tokens_decoder": rows,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return "Qwen2Tokenizer"


def save_qwen_vl(folder: Path, patch: int = 14) -> str:
    """Qwen's words, and how pictures are cut for it."""
    save_qwen(folder)
    cut = {"patch_size": patch, "temporal_patch_size": 2, "merge_size": 2, "min_pixels": 3136, "max_pixels": 12845056,
           "image_processor_type": "Qwen2VLImageProcessor"}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(cut))
    return "Qwen2VLProcessor"


def save_t5(folder: Path) -> str:
    """Letters as pieces, and the words that stand for gaps."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁the", -3.0)]
    pieces += [(letter, -5.0) for letter in string.ascii_letters + string.digits + string.punctuation]
    pieces += [(f"<extra_id_{i}>", 0.0) for i in range(99, -1, -1)]
    folder.mkdir(parents=True, exist_ok=True)
    transformers.T5Tokenizer(pieces, model_max_length=512).backend_tokenizer.save(str(folder / "tokenizer.json"))
    return "T5TokenizerFast"


def write_tables(folder: Path, words: list[str], pairs: tuple[tuple[str, str], ...]) -> None:
    """vocab.json and merges.txt."""
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(pair) for pair in pairs)]) + "\n")
