"""What a text encoder's file is, and its tensors' names by those that transformers gives them.

A file says it by its tensors' names: transformers' own, OpenCLIP's (github.com/mlfoundations/open_clip), or those by which
llama.cpp packs language models into GGUF (github.com/ggml-org/llama.cpp, gguf-py/gguf/tensor_mapping.py). There a model that sees is
two files: its language half, and its vision tower with what leads from there to words (`mmproj`). Knows no torch before tensors are renamed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from models.arrangements import Tensors

CLIP, T5, QWEN3, QWEN_SEES, TOWER, MISTRAL = "CLIP", "T5", "Qwen 3", "Qwen 2.5 VL", "vision tower of Qwen 2.5 VL", "Mistral"
KINDS = {
    "CLIPTextModel": CLIP, "CLIPTextModelWithProjection": CLIP, "T5EncoderModel": T5, "Qwen3Model": QWEN3, "Qwen3ForCausalLM": QWEN3,
    "Qwen2_5_VLForConditionalGeneration": QWEN_SEES, "Mistral3ForConditionalGeneration": MISTRAL,
}  # by the class of a text encoder in transformers  # fmt: skip
SPARE = {  # what files hold that networks of a class have no use for
    "CLIPTextModel": re.compile(r"text_projection(\.weight)?"), "Qwen3Model": re.compile(r"lm_head\.weight"),
    # FLUX.2 listens to a Mistral Small's tenth, twentieth and thirtieth layer, and shows it nothing; ComfyUI's files end there
    "Mistral3ForConditionalGeneration": re.compile(
        r"(language_model\.)?(lm_head\.|model\.(language_model\.)?(norm\.|layers\.3\d\.))|(model\.)?(vision_tower|multi_modal_projector)\.|tekken_model$"
    ),
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
PACKED_QWEN = (  # 3, and the language half of 2.5 VL
    (r"^token_embd\.", "model.embed_tokens."), (r"^output_norm\.", "model.norm."),
    (r"^blk\.(\d+)\.", r"model.layers.\1."),
    (r"\.attn_output\.", ".self_attn.o_proj."), (r"\.attn_(q|k)_norm\.", r".self_attn.\1_norm."),
    (r"\.attn_(q|k|v)\.", r".self_attn.\1_proj."),
    (r"\.attn_norm\.", ".input_layernorm."), (r"\.ffn_norm\.", ".post_attention_layernorm."),
    (r"\.ffn_(gate|up|down)\.", r".mlp.\1_proj."),
)  # fmt: skip
MISTRAL_NAMES = ((r"^(language_model\.)?model\.(?=embed_tokens\.|layers\.)", "model.language_model."),)  # older ones
PACKED_TOWER = (
    (r"^v\.blk\.(\d+)\.", r"visual.blocks.\1."), (r"^v\.patch_embd\.", "visual.patch_embed.proj."),
    (r"^v\.post_ln\.", "visual.merger.ln_q."), (r"^mm\.", "visual.merger.mlp."),
    (r"\.attn_(q|k|v|qkv)\.", r".attn.\1."), (r"\.attn_out\.", ".attn.proj."), (r"\.ln(1|2)\.", r".norm\1."),
    (r"\.ffn_(gate|up|down)\.", r".mlp.\1_proj."),
)  # fmt: skip
OF_TOWER = ("v.", "mm.")  # what the names of its tensors begin with
HEAD = r"output\.weight$"  # nobody looks at what it says, and as large as it is it would be unpacked for every prompt
UNUSED = re.compile(rf"{HEAD}|v\.position_embd\.weight$")  # these were zeros, of older converters, for a reader that asked for some
PATCHES, LATER = "visual.patch_embed.proj.weight", "visual.patch_embed.proj.weight.1"  # of the earlier frame of two, and of the later
Spell = Callable[["Tensors", Mapping[str, Any]], "Tensors"]  # of a file's tensors, and the part's settings


def _as_named(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    return tensors


def _open_clip(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    from models.arrangements import open_clip

    return open_clip("")(tensors, config)


def _by(table: Iterable[tuple[str, str]]) -> Spell:
    """Of names in which each of a table's expressions that fits is replaced."""

    def spell(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        return {_replaced(name, table): tensor for name, tensor in tensors.items()}

    return spell


def _replaced(name: str, table: Iterable[tuple[str, str]]) -> str:
    for pattern, ours in table:
        name = re.sub(pattern, ours, name)
    return name


def _qwen_sees(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """Of both halves of Qwen 2.5 VL, or the first alone."""
    seeing = {name: tensor for name, tensor in tensors.items() if name.startswith(OF_TOWER)}
    words = {name: tensor for name, tensor in tensors.items() if name not in seeing}
    return {**_by(PACKED_QWEN)(words, config), **_tower(seeing, config)}


def _tower(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """Files hold as three tensors what leads to queries, keys and values, and as two how the patches of two frames are read."""
    import torch

    from models.packed import is_packed

    found = _by(PACKED_TOWER)(tensors, config)
    held = next((tensor.dtype for tensor in found.values() if not is_packed(tensor)), torch.float32)
    for name in [name for name in found if ".attn.q." in name]:
        names = [name.replace(".attn.q.", f".attn.{letter}.") for letter in "qkv"]
        if all(other in found for other in names):
            found[name.replace(".attn.q.", ".attn.qkv.")] = _rows([found.pop(other) for other in names], held)
    if PATCHES in found and LATER in found:
        found[PATCHES] = torch.stack([found[PATCHES], found.pop(LATER)], 2)  # (C, 3, 2, P, P), of patches of P pixels
    return found


def _rows(tensors: Sequence[Tensor], held: torch.dtype) -> Tensor:
    """The rows of all, still packed where all are packed alike; where they are not, in the number format `held`."""
    import torch

    from models.packed import is_packed, unpacked

    if len({getattr(tensor, "quant_type", None) for tensor in tensors}) > 1:
        tensors = [unpacked(tensor).to(held) if is_packed(tensor) else tensor for tensor in tensors]
    return torch.cat([*tensors])


class Spelling(NamedTuple):
    """A kind of text encoder, or of a half of one, by one way to name its tensors. words: what a table that tells its width may be
    called, by its columns, or, of `rows`, its rows; mark: what the name of another begins with; never: what no name begins with; spell: to
    transformers' names; spare: names that have no place there; says: what the file says of itself, architecture and names, where
    tensors do not tell; title: in words; rest: the kind of the file that holds its other half."""

    kind: str
    words: tuple[str, ...]
    mark: str
    never: str
    spell: Spell = _as_named
    spare: re.Pattern[str] = re.compile(r"(?!)")
    says: str = ""
    title: str = "{kind} text encoder of width {width}"
    rest: str = ""
    rows: bool = False


SPELLINGS = (
    Spelling(CLIP, ("text_model.embeddings.token_embedding.weight",), r"text_model\.encoder\.", r"vision_model\.|decoder\."),
    Spelling(CLIP, ("token_embedding.weight",), r"transformer\.resblocks\.", r"vision_model\.|decoder\.", _open_clip, EYES),
    # a T5 for many languages tells places apart in every layer
    Spelling(T5, ("shared.weight", "encoder.embed_tokens.weight"), r"encoder\.block\.",
             r"vision_model\.|decoder\.|encoder\.block\.1\.layer\.0\.SelfAttention\.relative_attention_bias\."),
    Spelling(T5, ("token_embd.weight",), r"enc\.blk\.", r"dec\.|enc\.blk\.1\.attn_rel_b\.", _by(PACKED_T5)),
    Spelling(QWEN_SEES, ("model.embed_tokens.weight", "model.language_model.embed_tokens.weight"),
             r"(model\.)?visual\.blocks\.0\.mlp\.gate_proj\.", r"model\.(language_model\.)?layers\.0\.self_attn\.q_norm\."),
    Spelling(QWEN3, ("model.embed_tokens.weight",), r"model\.layers\.0\.self_attn\.q_norm\.",
             r"(model\.)?visual\.|model\.layers\.0\.(pre_feedforward_layernorm|mlp\.experts)\."),
    Spelling(QWEN3, ("token_embd.weight",), r"blk\.0\.attn_q_norm\.", r"blk\.0\.(post_attention_norm|ffn_gate_exps)\.", _by(PACKED_QWEN),
             re.compile(HEAD)),
    # a Qwen 2.5 that sees nothing has the same tensors, and so has a Qwen 2 VL
    Spelling(QWEN_SEES, ("token_embd.weight",), r"blk\.0\.attn_q\.bias$", r"blk\.0\.ffn_gate_exps\.", _qwen_sees, UNUSED,
             r"qwen2vl (?!.*qwen2[ _-]?vl)", "{kind} text encoder of width {width} without its vision tower, which is a file of its own",
             TOWER),
    Spelling(TOWER, ("mm.2.weight",), r"v\.blk\.0\.ffn_gate\.", r"a\.|blk\.|mm\.1\.|v\.deepstack\.", _tower, UNUSED,
             title="{kind}, for a text encoder of width {width}", rows=True),
    # a Llama has the same tensors
    Spelling(MISTRAL, ("model.embed_tokens.weight", "language_model.model.embed_tokens.weight", "model.language_model.embed_tokens.weight"),
             r"(language_model\.)?model\.(language_model\.)?layers\.0\.self_attn\.q_proj\.weight$",
             r"(model\.)?visual\.|(.+\.)?layers\.0\.(self_attn\.(q_norm\.|q_proj\.bias)|pre_feedforward_layernorm\.|mlp\.experts)",
             _by(MISTRAL_NAMES), title="text encoder of Mistral's or Llama's kind, of width {width}"),
)  # fmt: skip


def spelled(entries: Mapping[str, Any], metadata: Mapping[str, str]) -> tuple[Spelling, int] | None:
    """Which of them a file's names are, and how wide its words; None for what is no text encoder known here. metadata: what the
    file says of itself."""
    said = " ".join(metadata.get(f"general.{key}", "") for key in ("architecture", "name", "basename")).casefold()
    for row in SPELLINGS:
        words = next((entries[name] for name in row.words if name in entries), None)
        if words is None or len(words.shape) != 2:
            continue
        mark, never = re.compile(row.mark), re.compile(row.never)
        if any(map(mark.match, entries)) and not any(map(never.match, entries)) and re.match(row.says, said):
            return row, words.shape[0 if row.rows else 1]
    return None
