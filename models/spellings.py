"""What a text encoder's file is, and its tensors' names by those that transformers gives them.

A file says it by its tensors' names alone: transformers' own, OpenCLIP's (github.com/mlfoundations/open_clip), or those by which
llama.cpp packs language models into GGUF (github.com/ggml-org/llama.cpp, gguf-py/gguf/tensor_mapping.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from models.arrangements import Tensors, open_clip

CLIP, T5, QWEN3, QWEN_SEES = "CLIP", "T5", "Qwen 3", "Qwen 2.5 VL"
KINDS = {
    "CLIPTextModel": CLIP, "CLIPTextModelWithProjection": CLIP, "T5EncoderModel": T5, "Qwen3Model": QWEN3, "Qwen3ForCausalLM": QWEN3,
    "Qwen2_5_VLForConditionalGeneration": QWEN_SEES,
}  # by the class of a text encoder in transformers  # fmt: skip
SPARE = {  # what files hold that networks of a class have no use for
    "CLIPTextModel": re.compile(r"text_projection(\.weight)?"), "Qwen3Model": re.compile(r"lm_head\.weight|output\.weight"),
}  # fmt: skip
EYES = re.compile(r"visual\.|attn_mask$")  # what OpenCLIP's files hold beside their words
PACKED_T5 = (
    (r"^token_embd\.", "shared."), (r"^enc\.output_norm\.", "encoder.final_layer_norm."), (r"^enc\.blk\.(\d+)\.", r"encoder.block.\1."),
    (r"\.attn_(q|k|v|o)\.", r".layer.0.SelfAttention.\1."), (r"\.attn_rel_b\.", ".layer.0.SelfAttention.relative_attention_bias."),
    (r"\.attn_norm\.", ".layer.0.layer_norm."), (r"\.ffn_norm\.", ".layer.1.layer_norm."),
    (r"\.ffn_gate\.", ".layer.1.DenseReluDense.wi_0."),
    (r"\.ffn_up\.", ".layer.1.DenseReluDense.wi_1."),
    (r"\.ffn_down\.", ".layer.1.DenseReluDense.wo."),
)  # fmt: skip
PACKED_QWEN3 = (
    (r"^token_embd\.", "model.embed_tokens."), (r"^output_norm\.", "model.norm."), (r"^output\.", "lm_head."),
    (r"^blk\.(\d+)\.", r"model.layers.\1."),
    (r"\.attn_output\.", ".self_attn.o_proj."), (r"\.attn_(q|k)_norm\.", r".self_attn.\1_norm."),
    (r"\.attn_(q|k|v)\.", r".self_attn.\1_proj."),
    (r"\.attn_norm\.", ".input_layernorm."), (r"\.ffn_norm\.", ".post_attention_layernorm."),
    (r"\.ffn_(gate|up|down)\.", r".mlp.\1_proj."),
)  # fmt: skip
Spell = Callable[[Tensors, Mapping[str, Any]], Tensors]  # of a file's tensors, and the part's settings


def _as_named(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    return tensors


def _by(table: Iterable[tuple[str, str]]) -> Spell:
    """Of names in which each of a table's expressions that fits is replaced."""

    def spell(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        return {_replaced(name, table): tensor for name, tensor in tensors.items()}

    return spell


def _replaced(name: str, table: Iterable[tuple[str, str]]) -> str:
    for pattern, ours in table:
        name = re.sub(pattern, ours, name)
    return name


class Spelling(NamedTuple):
    """A kind of text encoder by one way to name its tensors. words: what its table of words may be called; mark: what the name of
    another begins with; never: what no name begins with; spell: to transformers' names; spare: names that have no place there."""

    kind: str
    words: tuple[str, ...]
    mark: str
    never: str
    spell: Spell = _as_named
    spare: re.Pattern[str] = re.compile(r"(?!)")


SPELLINGS = (
    Spelling(CLIP, ("text_model.embeddings.token_embedding.weight",), r"text_model\.encoder\.", r"vision_model\.|decoder\."),
    Spelling(CLIP, ("token_embedding.weight",), r"transformer\.resblocks\.", r"vision_model\.|decoder\.", open_clip(""), EYES),
    # a T5 for many languages tells places apart in every layer
    Spelling(T5, ("shared.weight", "encoder.embed_tokens.weight"), r"encoder\.block\.",
             r"vision_model\.|decoder\.|encoder\.block\.1\.layer\.0\.SelfAttention\.relative_attention_bias\."),
    Spelling(T5, ("token_embd.weight",), r"enc\.blk\.", r"dec\.|enc\.blk\.1\.attn_rel_b\.", _by(PACKED_T5)),
    Spelling(QWEN_SEES, ("model.embed_tokens.weight", "model.language_model.embed_tokens.weight"),
             r"(model\.)?visual\.blocks\.0\.mlp\.gate_proj\.", r"model\.(language_model\.)?layers\.0\.self_attn\.q_norm\."),
    Spelling(QWEN3, ("model.embed_tokens.weight",), r"model\.layers\.0\.self_attn\.q_norm\.",
             r"(model\.)?visual\.|model\.layers\.0\.(pre_feedforward_layernorm|mlp\.experts)\."),
    Spelling(QWEN3, ("token_embd.weight",), r"blk\.0\.attn_q_norm\.", r"blk\.0\.(post_attention_norm|ffn_gate_exps)\.", _by(PACKED_QWEN3)),
)  # fmt: skip


def spelled(entries: Mapping[str, Any]) -> tuple[Spelling, int] | None:
    """Which of them a file's names are, and how wide its words; None for what is no text encoder known here."""
    for row in SPELLINGS:
        words = next((entries[name] for name in row.words if name in entries), None)
        if words is None or len(words.shape) != 2:
            continue
        mark, never = re.compile(row.mark), re.compile(row.never)
        if any(map(mark.match, entries)) and not any(map(never.match, entries)):
            return row, words.shape[1]
    return None
