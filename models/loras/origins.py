"""What is a LoRA, and what one was made for, in words: as its header says, else as the names and widths of its tensors tell."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from models.safetensors_file import Entry

PIECE = re.compile(r"(?P<layer>.+?)\.(?P<side>lora_A|lora_B|lora_down|lora_up|down|up)(\.default)?\.weight")
OTHERS = {"dora_scale": "a DoRA", "lora_magnitude_vector": "a DoRA", "hada_": "a LoHa", "lokr_": "a LoKr", "oft_": "an OFT", "diff_b": "full weights"}
SAID = ("modelspec.architecture", "ss_base_model_version", "ss_sd_model_name", "base_model")
WORDS = (
    (r"flux[-_. ]?2|klein", "FLUX.2"), (r"flux|kontext", "FLUX.1"), (r"qwen", "Qwen-Image"), (r"z[-_ ]?image", "Z-Image"),
    (r"chroma", "Chroma"), (r"sana", "Sana"), (r"xl", "Stable Diffusion XL"), (r"sd[-_ ]?3|diffusion[-_ ]v?3", "Stable Diffusion 3.x"),
    (r"sd[-_ ]?(v)?2|diffusion[-_ ]v?2", "Stable Diffusion 2.x"), (r"sd[-_ ]?(v)?1|diffusion[-_ ]v?1", "Stable Diffusion 1.x"),
)  # fmt: skip
NAMES = (
    (r"(noise|context)_refiner", "Z-Image"), (r"qkv_mlp_proj|double_stream_modulation", "FLUX.2"),
    (r"(double|single)_blocks|single_transformer_blocks", "FLUX"), (r"img_mlp|img_mod|txt_mlp", "Qwen-Image"),
    (r"joint_blocks", "Stable Diffusion 3.x"), (r"lora_te2_|text_encoder_2\.", "Stable Diffusion XL"),
)  # fmt: skip
WIDTHS = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}  # of the words that a U-Net sees
SEEN = re.compile(r"attn2(_|\.|\.processor\.)to_[kv](_lora)?\.(lora\.|lora_)?(A|down)\.weight")
MADE_FOR, UNTOLD = "LoRA for ", "something its names do not tell"  # in a list: what stands before it, and where it is not known
U_NET, TRANSFORMER = "a U-Net, such as Stable Diffusion's", "a diffusion transformer"


KINDS = {  # of LoRAs, as `engine.checkpoints.unlike` tells them apart: what its layers are in
    "Stable Diffusion 1.x": "U-Net of 1 or 2", "Stable Diffusion 2.x": "U-Net of 1 or 2", "Stable Diffusion XL": "U-Net of XL", U_NET: "U-Net",
}  # fmt: skip
TRANSFORMERS = "transformer"


def names_lora(name: str) -> bool:
    """Whether a tensor of that name is a LoRA's, or of something like one."""
    return PIECE.fullmatch(name) is not None or any(mark in name for mark in OTHERS)


def kind_of_lora(made_for: str) -> str | None:
    """made_for: as `origin` tells it."""
    return KINDS.get(made_for, TRANSFORMERS) if made_for else None


def kind_for(parts: Collection[str]) -> str:
    """Of the LoRAs for a family with these parts."""
    return TRANSFORMERS if "unet" not in parts else KINDS["Stable Diffusion XL" if "text_encoder_2" in parts else "Stable Diffusion 1.x"]


def origin(entries: Mapping[str, Entry], metadata: Mapping[str, str]) -> str:
    """"" where neither tells anything."""
    for key in SAID:
        said = metadata.get(key, "")[:200].casefold()
        for pattern, title in WORDS:
            if re.search(pattern, said):
                return title
    for pattern, title in NAMES:
        if any(re.search(pattern, name) for name in entries):
            return title
    widths = {entry.shape[1] for name, entry in entries.items() if SEEN.search(name)}
    for width in widths & WIDTHS.keys():
        return WIDTHS[width]
    if any(re.search(r"unet|down_blocks|mid_block|up_blocks", name) for name in entries):
        return U_NET
    return TRANSFORMER if any("transformer" in name or "diffusion_model" in name for name in entries) else ""
