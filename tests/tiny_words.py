"""Tiny vocabularies, laid out as real checkpoints lay out theirs: bytes, a few joined, and the words a family adds."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from models import byte_words
from models.byte_words import JOINED, number, save_clip, save_t5

__all__ = ["number", "save_clip", "save_gemma", "save_mistral", "save_qwen", "save_qwen3_vl", "save_qwen_vl", "save_t5"]

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
LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
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


def save_qwen(folder: Path) -> str:
    """With a template that only the library's own loading reads."""
    name = byte_words.save_qwen(folder)
    (folder / "chat_template.jinja").write_text(QWEN3_TEMPLATE)
    return name


def save_qwen_vl(folder: Path, patch: int = 14) -> str:
    name = byte_words.save_qwen_vl(folder, patch)
    (folder / "chat_template.jinja").write_text(QWEN_VL_TEMPLATE)
    return name


def save_qwen3_vl(folder: Path) -> str:
    save_qwen_vl(folder, 16)
    return "Qwen3VLProcessor"


def save_mistral(folder: Path) -> str:
    """One table, with a template beside it that only the library's own loading reads."""
    _save_split(folder, TEKKEN, MISTRAL_ADDED, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
                extra_special_tokens=list(MISTRAL_ADDED[4:]), chat_template=MISTRAL_TEMPLATE)  # fmt: skip
    return "PixtralProcessor"


def save_smollm(folder: Path) -> str:
    """Llama's way to split words, and names of its own."""
    _save_split(folder, LLAMA, ("<|end_of_text|>", "<|im_end|>"), eos_token="<|im_end|>", pad_token="<|end_of_text|>")
    return "PreTrainedTokenizerFast"


def save_siglip(folder: Path) -> str:
    transformers.Siglip2ImageProcessorPil(patch_size=16, max_num_patches=16).save_pretrained(folder)
    return "Siglip2ImageProcessor"


def _save_split(folder: Path, pattern: str, added: tuple[str, ...], **special: Any) -> None:
    words = [*added, *sorted(ByteLevel.alphabet()), *("".join(pair) for pair in JOINED)]
    whole = Tokenizer(BPE({word: i for i, word in enumerate(words)}, list(JOINED), ignore_merges=True))
    whole.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    transformers.PreTrainedTokenizerFast(tokenizer_object=whole, padding_side="left", **special).save_pretrained(folder)


def save_gemma(folder: Path) -> str:
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{i:02X}>" for i in range(256)), "▁", *string.ascii_letters, "th", "the"]
    merges: Any = [("t", "h"), ("th", "e")]  # the library wants pairs, whatever its types say
    transformers.GemmaTokenizer({word: i for i, word in enumerate(words)}, merges, add_bos_token=True).save_pretrained(folder)
    return "GemmaTokenizerFast"
