"""Tiny vocabularies, laid out as real checkpoints lay out theirs: bytes, a few joined, and the words a family adds."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import transformers
from tokenizers.pre_tokenizers import ByteLevel

ADDED = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",
    "<|video_pad|>", "<think>", "</think>",
)  # fmt: skip
JOINED = (("t", "h"), ("th", "e"), ("Ġ", "the"))
# What of the family's own template one message meets, as its checkpoints bring it.
QWEN3_TEMPLATE = """{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""


def save_clip(folder: Path) -> str:
    """Every text can be said, and no pair has to be joined. The class's name, as of the others."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    _write(folder, words, ())
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return "CLIPTokenizer"


def save_qwen(folder: Path) -> str:
    """Its words in two tables, the added ones in a third, and a template that only the library's own loading reads."""
    words = [*sorted(ByteLevel.alphabet()), *("".join(pair) for pair in JOINED)]
    _write(folder, words, JOINED)
    added = {word: len(words) + i for i, word in enumerate(ADDED)}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    rows = {str(number): {"content": word, "special": True, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
            for word, number in added.items()}  # fmt: skip
    settings: dict[str, Any] = {
        "tokenizer_class": "Qwen2Tokenizer", "model_max_length": 4096, "pad_token": "<|endoftext|>", "eos_token": "<|im_end|>",
        "unk_token": None, "bos_token": None, "added_tokens_decoder": rows,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text(QWEN3_TEMPLATE)
    return "Qwen2Tokenizer"


def save_t5(folder: Path) -> str:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁the", -3.0)]
    pieces += [(letter, -5.0) for letter in string.ascii_letters + string.digits + string.punctuation]
    pieces += [(f"<extra_id_{i}>", 0.0) for i in range(99, -1, -1)]
    transformers.T5Tokenizer(pieces, model_max_length=512).save_pretrained(folder)
    return "T5TokenizerFast"


def _write(folder: Path, words: list[str], pairs: tuple[tuple[str, str], ...]) -> None:
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(pair) for pair in pairs)]) + "\n")
