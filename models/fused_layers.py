"""Layers of diffusers' networks in fewer launches: each function here makes the `forward` that takes the place of a layer's own.

Whatever a layer is that is not what these were written for (a LoRA's, one with a mask, one by another processor) is asked itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.activations import GEGLU
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_blocks import AutoencoderTinyBlock
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from models.kernels import Kernels
from models.together import Together, product

Convolved = Callable[[nn.Conv2d, Tensor, Tensor | None], Tensor]
Forward = Callable[..., Any]


def is_plain_resnet(block: ResnetBlock2D) -> bool:
    changed = block.upsample is not None or block.downsample is not None or block.skip_time_act or block.time_embedding_norm != "default"
    return not changed and isinstance(block.nonlinearity, nn.SiLU) and not block.training


def is_plain_block(block: BasicTransformerBlock) -> bool:
    """Attention to itself, to words, then a gated layer, each behind a layer norm; and nothing else."""
    net: Any = getattr(block.ff, "net", ())
    gated = len(net) == 3 and type(net[0]) is GEGLU and type(net[2]) is nn.Linear
    attends = block.attn2 is not None and not block.only_cross_attention and all(map(_is_plain_attention, (block.attn1, block.attn2)))
    return gated and attends and block.norm_type == "layer_norm" and block.pos_embed is None and not block.training


def is_plain_upsample(layer: Upsample2D) -> bool:
    return layer.norm is None and layer.interpolate and not layer.use_conv_transpose and layer.use_conv and layer.name == "conv"


def _is_plain_attention(layer: Attention) -> bool:
    extras = (layer.spatial_norm, layer.group_norm, layer.norm_q, layer.norm_k, layer.norm_cross or None, layer.added_kv_proj_dim)
    return all(extra is None for extra in extras) and not layer.residual_connection and layer.rescale_output_factor == 1


def resnet(kernels: Kernels, times: Together | None) -> Forward:
    """ResnetBlock2D's: activations and all that is added go along with the norms, and biases with the sum. times: what its network's
    blocks are told of the time."""

    def forward(block: Any, input_tensor: Tensor, temb: Tensor | None = None) -> Tensor:
        first, second = block.norm1, block.norm2
        hidden = kernels.norm(input_tensor, first.num_groups, first.weight, first.bias, first.eps, True)
        hidden, bias = _unbiased(block.conv1, hidden)
        told = None
        if block.time_emb_proj is not None and temb is not None:
            told = block.time_emb_proj(F.silu(temb)) if times is None else times(block.time_emb_proj, temb)
        hidden = kernels.norm(hidden, second.num_groups, second.weight, second.bias, second.eps, True, told, bias)
        hidden, bias = _unbiased(block.conv2, hidden)
        kept, other = (input_tensor, None) if block.conv_shortcut is None else _unbiased(block.conv_shortcut, input_tensor)
        found = kernels.summed(kept, hidden, [one for one in (bias, other) if one is not None])
        return found if block.output_scale_factor == 1 else found / block.output_scale_factor

    return forward


def _unbiased(layer: Any, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """A convolution's result without its bias, and that, where it is a plain one: adding it is a launch of its own."""
    if type(layer) is not nn.Conv2d or layer.bias is None or layer.padding_mode != "zeros":
        return layer(x), None
    return F.conv2d(x, layer.weight, None, layer.stride, layer.padding, layer.dilation, layer.groups), layer.bias


def norm(kernels: Kernels) -> Forward:
    def forward(layer: Any, x: Tensor) -> Tensor:
        if x.ndim != 4:
            return F.group_norm(x, layer.num_groups, layer.weight, layer.bias, layer.eps)
        return kernels.norm(x, layer.num_groups, layer.weight, layer.bias, layer.eps, False)

    return forward


def gated(kernels: Kernels) -> Forward:
    def forward(layer: Any, hidden_states: Tensor) -> Tensor:
        return kernels.gated(layer.proj(hidden_states))

    return forward


def block(kernels: Kernels, words: Together | None) -> Forward:
    """BasicTransformerBlock's: what is added goes along with the norm behind it. words: keys and values of what its network is told."""

    def forward(
        block: Any, hidden_states: Tensor, attention_mask: Any = None, encoder_hidden_states: Tensor | None = None, encoder_attention_mask: Any = None,
        timestep: Any = None, cross_attention_kwargs: Any = None, class_labels: Any = None, added_cond_kwargs: Any = None,
    ) -> Tensor:  # fmt: skip
        processors = {type(layer.processor) for layer in (block.attn1, block.attn2)}
        masked = attention_mask is not None or encoder_attention_mask is not None
        if masked or cross_attention_kwargs or encoder_hidden_states is None or processors != {AttnProcessor2_0} or block._chunk_size is not None:
            return type(block).forward(  # type: ignore[no-any-return]
                block, hidden_states, attention_mask, encoder_hidden_states, encoder_attention_mask, timestep, cross_attention_kwargs, class_labels,
                added_cond_kwargs,
            )  # fmt: skip
        first, second, last = block.norm2, block.norm3, block.ff.net[2]
        told, bias = _attended(block.attn1, block.norm1(hidden_states), None, words)
        x, seen = kernels.row_norm(hidden_states, told, bias, first.weight, first.bias, first.eps, None)
        told, bias = _attended(block.attn2, seen, encoder_hidden_states, words)
        plain = type(last) is nn.Linear
        x, seen = kernels.row_norm(x, told, bias, second.weight, second.bias, second.eps, last.bias if plain else None)
        seen = block.ff.net[0](seen)
        if not plain:
            return x + last(seen)  # type: ignore[no-any-return]
        x.view(-1, x.shape[-1]).addmm_(seen.view(-1, seen.shape[-1]), last.weight.t())  # x is nobody else's
        return x

    return forward


def _attended(layer: Any, x: Tensor, words: Tensor | None, shared: Together | None) -> tuple[Tensor, Tensor | None]:
    """What attention gives, (B, N, D), without the bias of its last layer, and that bias, where that layer is a plain one."""
    if words is None:
        query, key, value = product((layer.to_q, layer.to_k, layer.to_v), x)
    else:
        query = layer.to_q(x)
        key, value = (product((layer.to_k, layer.to_v), words)) if shared is None else (shared(part, words) for part in (layer.to_k, layer.to_v))
    heads = [part.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for part in (query, key, value)]
    seen = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    out = layer.to_out[0]
    if type(out) is not nn.Linear:
        return out(seen), None
    return F.linear(seen, out.weight), out.bias


def as_it_lies(
    transformer: Any, hidden_states: Tensor, residual: Tensor, batch_size: int, height: int, width: int, inner_dim: int
) -> Tensor:
    """Transformer2DModel's way out, as the library does it, but channels stay last."""
    if transformer.use_linear_projection:
        hidden_states = transformer.proj_out(hidden_states)
    shown = hidden_states.reshape(batch_size, height, width, -1).permute(0, 3, 1, 2)
    found: Tensor = (shown if transformer.use_linear_projection else transformer.proj_out(shown)) + residual
    return found


def upsample(kernels: Kernels) -> Forward:
    def forward(layer: Any, hidden_states: Tensor, output_size: Any = None) -> Tensor:
        if output_size is not None:
            return type(layer).forward(layer, hidden_states, output_size)  # type: ignore[no-any-return]
        return layer.conv(kernels.doubled(hidden_states))  # type: ignore[no-any-return]

    return forward


def tiny(convolved: Convolved, kernels: Kernels | None) -> Forward:
    """Of the layers of a tiny autoencoder's half, in their order."""

    def forward(layers: Any, x: Tensor) -> Tensor:
        inner = list(layers)
        x = x.contiguous(memory_format=torch.channels_last)
        for before, layer, following in zip([None, *inner[:-1]], inner, [*inner[1:], None], strict=True):
            if isinstance(layer, nn.ReLU) and type(before) is nn.Conv2d:
                continue  # it went along
            if isinstance(layer, AutoencoderTinyBlock) and isinstance(layer.conv[1], nn.ReLU):
                first, second, third = layer.conv[::2]
                x = convolved(third, convolved(second, convolved(first, x, None), None), layer.skip(x))
            elif type(layer) is nn.Conv2d and isinstance(following, nn.ReLU):
                x = convolved(layer, x, None)
            elif kernels is not None and isinstance(layer, nn.Upsample) and (layer.scale_factor, layer.mode) == (2.0, "nearest"):
                x = kernels.doubled(x)
            else:
                x = layer(x)
        return x

    return forward
