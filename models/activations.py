"""How many numbers a prompted checkpoint's networks hold at once beside their weights, by arithmetic from their settings.

A U-Net keeps what its skip connections carry, and at its widest level some fourteen numbers a channel and cell: the feed-forward of
an attention block is eight channels wide, beside what goes in and comes out. A diffusion transformer's block holds some eighteen
of its width a token: queries, keys and values, the feed-forward, and both together before the last product. An autoencoder's
decoder holds some six pictures of its widest channels at the size that they are scaled up to. Attention is taken to be computed
without its table of scores, as torch does. What a library's own kernels take besides is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from torch import nn

UNET, BLOCK, PICTURE = 14, 18, 6  # numbers a channel and cell; a width and token; a channel and pixel
FACTOR, PATCH = 8, 2  # pixels a cell, cells a token, along each side, where settings do not say
WORDS = 512  # tokens of text beside those of the picture, at most


def held_at_once(parts: Mapping[str, nn.Module], size: tuple[int, int], branches: int = 1, references: int = 0) -> int:
    """Numbers, while the network that needs most is at work on a frame of `size` (width, height). branches: of one prediction;
    references: pictures that a transformer sees beside the one it paints."""
    return max((_of(name, getattr(part, "config", {}), size, branches, references) for name, part in parts.items()), default=0)


def _of(name: str, config: Any, size: tuple[int, int], branches: int, references: int) -> int:
    pixels = size[0] * size[1]
    if name.startswith(("unet", "controlnet")):
        return branches * _unet(config, pixels // FACTOR**2)
    if name.startswith("transformer"):
        tokens = pixels // (FACTOR * PATCH) ** 2 * (1 + references) + WORDS
        return branches * BLOCK * tokens * _width(config)
    if name in ("vae", "movq"):
        return _picture([*_channels(config)] or [128], pixels)
    return 0  # text encoders read a few hundred words


def _unet(config: Any, cells: int) -> int:
    channels, layers = [*_channels(config)], config.get("layers_per_block", 2)
    depth = layers if isinstance(layers, int) else max(layers)
    sides = [cells // 4**level for level in range(len(channels))]
    skips = sum(channel * side * (depth + 1) for channel, side in zip(channels, sides, strict=True))
    return skips + UNET * max(channel * side for channel, side in zip(channels, sides, strict=True))


def _picture(channels: list[int], pixels: int) -> int:
    """Each level's channels are scaled up to the size of the one before it."""
    spans = [channels[0] * pixels, *(wider * pixels // 4**level for level, (_, wider) in enumerate(pairwise(channels)))]
    return PICTURE * max(spans)


def _channels(config: Any) -> Iterable[int]:
    found = config.get("block_out_channels") or config.get("decoder_block_out_channels") or ()
    if not found and "dim_mult" in config:
        found = [config.get("base_dim", config.get("dim", 96)) * factor for factor in config["dim_mult"]]
    return [channel for channel in found if isinstance(channel, int)]


def _width(config: Any) -> int:
    """Of a transformer: heads times their width, or what the settings call it."""
    for heads, each in (("num_attention_heads", "attention_head_dim"), ("n_heads", "head_dim")):
        if isinstance(config.get(heads), int) and isinstance(config.get(each), int):
            return int(config[heads] * config[each])
    return next((int(config[key]) for key in ("hidden_size", "model_dim", "dim", "inner_dim") if isinstance(config.get(key), int)), 3072)
