"""Tiny vocabularies, laid out as real checkpoints lay out theirs: bytes, a few joined, and the words a family adds."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import BPE
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

QWEN_VL_TEMPLATE = """{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- for content in message.content %}
        {%- if 'text' in content %}
            {{- content.text }}
        {%- endif %}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}"""
MISTRAL_ADDED = ("<unk>", "<s>", "</s>", "<pad>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
MISTRAL_TEMPLATE = """{{- bos_token }}
{%- for message in messages %}
    {%- if message['role'] == 'user' %}
        {{- '[INST]' }}
        {%- for block in message['content'] %}
            {{- block['text'] }}
        {%- endfor %}
        {{- '[/INST]' }}
    {%- elif message['role'] == 'system' %}
        {{- '[SYSTEM_PROMPT]' + message['content'][0]['text'] + '[/SYSTEM_PROMPT]' }}
    {%- endif %}
{%- endfor %}"""


def save_clip(folder: Path) -> str:
    """Every text can be said, and no pair has to be joined. The class's name, as of the others."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    _write(folder, words, ())
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return "CLIPTokenizer"


def number(added: str) -> int:
    """Of a word that is added to Qwen's vocabulary."""
    return len(ByteLevel.alphabet()) + len(JOINED) + ADDED.index(added)


def save_qwen(folder: Path) -> str:
    """Its words in two tables, the added ones in a third, and a template that only the library's own loading reads."""
    words = [*sorted(ByteLevel.alphabet()), *("".join(pair) for pair in JOINED)]
    _write(folder, words, JOINED)
    added = {word: number(word) for word in ADDED}
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


def save_qwen_vl(folder: Path, patch: int = 14) -> str:
    save_qwen(folder)
    (folder / "chat_template.jinja").write_text(QWEN_VL_TEMPLATE)
    cut = {"patch_size": patch, "temporal_patch_size": 2, "merge_size": 2, "min_pixels": 3136, "max_pixels": 12845056,
           "image_processor_type": "Qwen2VLImageProcessor"}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(cut))
    return "Qwen2VLProcessor"


def save_qwen3_vl(folder: Path) -> str:
    save_qwen_vl(folder, 16)
    return "Qwen3VLProcessor"


def save_mistral(folder: Path) -> str:
    """One table, with a template beside it that only the library's own loading reads."""
    words = [*MISTRAL_ADDED, *sorted(ByteLevel.alphabet()), *("".join(pair) for pair in JOINED)]
    whole = Tokenizer(BPE({word: i for i, word in enumerate(words)}, list(JOINED), ignore_merges=True))
    whole.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(TEKKEN), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=whole, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>", padding_side="left",
        extra_special_tokens=list(MISTRAL_ADDED[4:]), chat_template=MISTRAL_TEMPLATE,
    ).save_pretrained(folder)  # fmt: skip
    return "PixtralProcessor"


def save_gemma(folder: Path) -> str:
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{i:02X}>" for i in range(256)), "▁", *string.ascii_letters, "th", "the"]
    merges = [("t", "h"), ("th", "e")]
    transformers.GemmaTokenizer({word: i for i, word in enumerate(words)}, merges, add_bos_token=True).save_pretrained(folder)
    return "GemmaTokenizerFast"


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
