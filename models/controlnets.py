"""ControlNets that lie alone: what one is, and its settings beside a U-Net. Knows no torch.

Files come by diffusers' names or by those of the program that ControlNets were first trained with (Lvmin Zhang's,
github.com/lllyasviel/ControlNet), which says nothing of settings: what a tensor's shape does not tell is as in the U-Net,
of which a ControlNet is a copy. Folders, as diffusers saves them, say their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from engine.errors import CheckpointError
from models.configs import bounded
from models.findings import ROWS, Findings
from models.first_look import ONE_FILE, header_alone
from models.places import repository_of
from models.plain_files import read_json
from models.safetensors_file import Entry, SafetensorsFile, open_safetensors
from models.survey import Pair, look_over
from models.weight_files import OPEN, files_of
from models.whole import CONFIG, CONTROLNET, is_controlnet

Shapes = Mapping[str, tuple[int, ...]]  # by diffusers' names
LARGEST = 16 * 2**30  # bytes
CONTROL_ROWS = tuple(row for row in ROWS if row != "frame")
SEES = ("controlnet_cond_embedding.conv_in.weight", "input_hint_block.0.weight")  # how a picture is seen, by either's names
WORDS = ".attn2.to_k.weight"  # its columns are as wide as the words that are told, by either's names
POOLED = ("add_embedding.linear_1.weight", "label_emb.0.0.weight")  # of XL, which is told more than words
TOLD = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}  # words of that width
READ = "read are plain ones of Stable Diffusion 1, 2 and XL, by diffusers' names or those of the program that trained them"
OTHERS = (  # what is like one, by names that no plain one has, the more particular first
    (re.compile(r"control_add_embedding\.|task_embedding$|spatial_ch_projs\."), "a union of several ControlNets"),
    (re.compile(r"(control_model\.)?(enc_zero_convs_(in|out)|dec_zero_convs_out)\.|(control_to_base|base_to_control)|.*\.(base_to_ctrl|ctrl_to_base)"), "a ControlNet-XS"),
    (re.compile(r"lora_controlnet$"), "a Control-LoRA"),
    (re.compile(r"lllite_"), "a ControlNet-LLLite"),
    (re.compile(r"controlnet_x_embedder\.|controlnet_blocks\.|controlnet_single_blocks\.|control_layers\."), "a ControlNet of a diffusion transformer"),
    (re.compile(r"(adapter\.)?body\.\d+\.(resnets\.|block[12]\.|in_conv\.)"), "a T2I adapter"),
    (re.compile(r"image_proj\.|ip_adapter\."), "an IP-Adapter"),
)
# what a U-Net's settings say of its ControlNet too
ALIKE = (
    "flip_sin_to_cos", "freq_shift", "downsample_padding", "mid_block_scale_factor", "act_fn", "norm_num_groups", "norm_eps", "attention_head_dim",
    "num_attention_heads", "upcast_attention", "resnet_time_scale_shift", "addition_time_embed_dim", "cross_attention_dim",
)  # fmt: skip
SAME = (  # what must be as in the U-Net, and what is said where it is not
    ("cross_attention_dim", "it is told words of width {}, the denoiser of {}"),
    ("block_out_channels", "its blocks have {} channels, the denoiser's {}"),
    ("layers_per_block", "its blocks have {} layers, the denoiser's {}"),
    ("addition_embed_type", "beside words it is told {}, the denoiser {}"),
    ("projection_class_embeddings_input_dim", "beside words it is told {} numbers, the denoiser {}"),
)
USUAL: Mapping[str, Any] = {"in_channels": 4, "block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "cross_attention_dim": 1280}  # of either class


@dataclass(frozen=True)
class ControlNet:
    """One that lies alone. place: its file or its folder; path: the file of its weights; title: in words; layers: in each of its
    blocks; settings: its folder's, {} for a file."""

    place: Path
    path: Path
    title: str
    layers: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    part: ClassVar[str] = "controlnet"
    prefix: ClassVar[str] = "control_model."
    cls: ClassVar[str] = CONTROLNET
    pair: ClassVar[Pair] = ("diffusers", CONTROLNET)

    @property
    def name(self) -> str:
        """What it is called; in a hub cache, a folder by its repository."""
        return repository_of(self.path) if self.place.parent.name == "snapshots" else self.place.name

    @contextmanager
    def opened(self) -> Iterator[SafetensorsFile]:
        """Its tensors, to be read once. Raises CheckpointError."""
        with open_safetensors(self.path, LARGEST) as file:
            yield file

    def config(self, shapes: Shapes, unet: Mapping[str, Any]) -> Mapping[str, Any]:
        """Its settings beside a U-Net with those settings, {} for none. Raises CheckpointError for what nobody may ask for."""
        return self.settings or bounded({**{key: unet[key] for key in ALIKE if key in unet}, **told_by(shapes)}, self.path)


def is_like_one(entries: Mapping[str, Any]) -> bool:
    """Whether a file is a ControlNet or something like one, and no checkpoint."""
    return _sees(entries) is not None or bool(_other(entries))


def _sees(entries: Mapping[str, Any]) -> str | None:
    if any(name.startswith("model.diffusion_model.") for name in entries):
        return None
    return next((name for prefix in ("", ControlNet.prefix) for name in SEES if prefix + name in entries), None)


def _other(entries: Mapping[str, Any]) -> str:
    return next((title for names, title in OTHERS if any(map(names.match, entries))), "")


def controlnet(place: Path, findings: Findings | None = None) -> ControlNet:
    """What the file or folder is, by its header and its settings. Raises CheckpointError."""
    findings = findings if findings is not None else Findings()
    path, settings = place, dict[str, Any]()
    if place.is_dir():
        look_over(place, findings)
        with findings.row("family"):
            if not is_controlnet(place):
                raise CheckpointError(f"{place} is no ControlNet's folder: there is no {CONFIG} in it that says {CONTROLNET}; give that folder, or a file")
        with findings.row("settings"):
            settings = dict(bounded(read_json(place / CONFIG), place / CONFIG))
            findings.tell("settings", f"{ControlNet.part} {len(settings)}")
        with findings.row("headers"):
            path, *more = files_of(place, OPEN)
            if more:
                raise CheckpointError(f"{place} holds its weights in {1 + len(more)} files; get a copy in one")
    else:
        for row, found in ONE_FILE:
            findings.tell(row, found)
    entries: Mapping[str, Entry] = header_alone(path, findings, LARGEST).entries  # type: ignore[assignment]
    findings.tell("pickles", "none")
    with findings.row("family"):
        if (other := _other(entries)) or _sees(entries) is None:
            raise CheckpointError(f"{path} is {other or 'no ControlNet that is known here'}; {READ}")
        title = _title(entries)
        findings.tell("family", title)
    if not settings:
        findings.tell("settings", "what its tensors tell")
    return ControlNet(place, path, title, _layers(entries), settings)


def _title(entries: Mapping[str, Entry]) -> str:
    width = next((entry.shape[-1] for name, entry in entries.items() if name.endswith(WORDS) and entry.shape), 0)
    pooled = any(name.removeprefix(ControlNet.prefix) in POOLED for name in entries)
    return f"ControlNet for {TOLD.get(width) or (TOLD[2048] if pooled else f'words of width {width}')}"


def _layers(entries: Mapping[str, Any]) -> int:
    """In each block: counted, or those before the first that makes the picture smaller."""
    names = {name.removeprefix(ControlNet.prefix) for name in entries}
    if SEES[0] in names:
        return _count(names, "down_blocks.0.resnets.{}.conv1.weight")
    return next((number - 1 for number in range(2, len(names)) if f"input_blocks.{number}.0.op.weight" in names), 2)


def _count(names: Any, pattern: str) -> int:
    return next(number for number in range(len(names) + 1) if pattern.format(number) not in names)


def told_by(shapes: Shapes) -> dict[str, Any]:
    """The settings that shapes tell."""

    def at(name: str, dimension: int) -> int:
        shape = shapes.get(name, ())
        return shape[dimension] if len(shape) > dimension else 0

    def depth(block: str) -> int:
        return _count(shapes, f"{block}.attentions.0.transformer_blocks.{{}}.norm1.weight")

    blocks = [f"down_blocks.{number}" for number in range(_count(shapes, "down_blocks.{}.resnets.0.conv1.weight"))]
    attends = [f"{block}.attentions.0.norm.weight" in shapes for block in blocks]
    last = [depth("mid_block")] if attends and not attends[-1] else []  # the middle block is as deep as the last is said to be
    hint = "controlnet_cond_embedding"
    widths = [at(f"{hint}.blocks.{number}.weight", 0) for number in range(1, _count(shapes, hint + ".blocks.{}.weight"), 2)]
    found: dict[str, Any] = {
        "in_channels": at("conv_in.weight", 1), "block_out_channels": [at(f"{block}.resnets.0.conv1.weight", 0) for block in blocks],
        "layers_per_block": _count(shapes, "down_blocks.0.resnets.{}.conv1.weight"),
        "down_block_types": ["CrossAttnDownBlock2D" if attended else "DownBlock2D" for attended in attends],
        "transformer_layers_per_block": [*map(depth, blocks[: len(blocks) - len(last)]), *last],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if "mid_block.attentions.0.norm.weight" in shapes else "UNetMidBlock2D",
        "conditioning_channels": at(f"{hint}.conv_in.weight", 1), "conditioning_embedding_out_channels": [at(f"{hint}.conv_in.weight", 0), *widths],
    }  # fmt: skip
    proj_in = next((shape for name, shape in shapes.items() if name.endswith(".proj_in.weight")), ())
    if (told := next((shape[-1] for name, shape in shapes.items() if name.endswith(WORDS) and shape), None)) is not None:
        found |= {"cross_attention_dim": told, "use_linear_projection": len(proj_in) == 2}
    pooled = POOLED[0] in shapes  # XL's
    return found | {
        "addition_embed_type": "text_time" if pooled else None, "projection_class_embeddings_input_dim": at(POOLED[0], 1) if pooled else None,
    }  # fmt: skip


def misfit(config: Mapping[str, Any], unet: Mapping[str, Any]) -> str:
    """Why a ControlNet with those settings cannot be the U-Net's; "" where nothing speaks against it."""

    def both(key: str) -> list[Any]:
        told = [settings.get(key, USUAL.get(key)) for settings in (config, unet)]
        return [tuple(value) if isinstance(value, list) else value for value in told]

    for key, why in SAME:
        if (pair := both(key))[0] != pair[1]:
            return why.format(*(value or "nothing" for value in pair))
    ours, theirs = both("in_channels")
    if not (type(ours) is type(theirs) is int and ours <= theirs):
        return f"it is shown latents of {ours} channels, the denoiser of {theirs}"
    seen = config.get("conditioning_channels", 3)
    return f"it is shown pictures of {seen} channels, where a guide has 3" if seen != 3 else ""
