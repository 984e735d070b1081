"""Fewer launches on a GPU: layers of diffusers' networks computed by `models.fused_layers` and `models.kernels`, and cuDNN's
convolutions with their activation in one. Weights stay what they are, and some come to lie beside one another (`models.together`);
each layer can be as it was before at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.activations import GEGLU
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.autoencoders.vae import DecoderTiny, EncoderTiny
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from engine.painter import FUSING, PainterSpec
from models import fused_layers as ways
from models.devices import lay_out
from models.fused_layers import Convolved
from models.kernels import CLOSE, Kernels, kernels_for
from models.together import Together, put_together


class Fused:
    """Networks whose layers were replaced. kernels: None leaves all but convolutions as they are; convolved: a convolution, what is
    added to it if anything, and ReLU in one launch; None leaves those as they are. activations: whether gates are, too."""

    def __init__(
        self, networks: Iterable[nn.Module], kernels: Kernels | None, convolved: Convolved | None = None, activations: bool = True
    ) -> None:
        self._layers: list[tuple[Any, str]] = []
        for network in networks:
            layers = list(network.modules())
            if kernels is not None:
                self._fuse(layers, kernels, activations)
            for layer in layers:
                if convolved is not None and isinstance(layer, EncoderTiny | DecoderTiny):
                    self._put(layer.layers, "forward", ways.tiny(convolved, kernels))

    def __bool__(self) -> bool:
        return bool(self._layers)

    def undo(self) -> None:
        """Every layer is as it was."""
        for layer, name in self._layers:
            delattr(layer, name)
        self._layers.clear()

    def _fuse(self, layers: list[Any], kernels: Kernels, activations: bool) -> None:
        """One network's."""
        resnets = [layer for layer in layers if isinstance(layer, ResnetBlock2D) and ways.is_plain_resnet(layer)]
        blocks = [layer for layer in layers if isinstance(layer, BasicTransformerBlock) and ways.is_plain_block(layer)] if activations else []
        for block in blocks:
            own = [block.attn1.to_q, block.attn1.to_k, block.attn1.to_v]
            if _alike(own):
                put_together(own)
        times = _together([block.time_emb_proj for block in resnets if block.time_emb_proj is not None], F.silu)
        words = _together([part for block in blocks for part in (block.attn2.to_k, block.attn2.to_v)])
        for layer in layers:
            if layer in resnets:
                self._put(layer, "forward", ways.resnet(kernels, times))
            elif layer in blocks:
                self._put(layer, "forward", ways.block(kernels, words))
            elif isinstance(layer, nn.GroupNorm) and layer.affine:  # of a block as above it is not asked
                self._put(layer, "forward", ways.norm(kernels))
            elif isinstance(layer, Upsample2D) and ways.is_plain_upsample(layer):
                self._put(layer, "forward", ways.upsample(kernels))
            elif isinstance(layer, Transformer2DModel) and layer.is_input_continuous:
                self._put(layer, "_get_output_for_continuous_inputs", ways.as_it_lies)
            elif activations and type(layer) is GEGLU:
                self._put(layer, "forward", ways.gated(kernels))

    def _put(self, layer: Any, name: str, function: Callable[..., Any]) -> None:
        setattr(layer, name, MethodType(function, layer))
        self._layers.append((layer, name))


def _alike(layers: list[Any]) -> bool:
    """Whether they are plain, and take the same."""
    return all(type(layer) is nn.Linear for layer in layers) and len({(layer.in_features, layer.weight.dtype, layer.weight.device) for layer in layers}) == 1


def _together(layers: list[Any], before: Callable[[Tensor], Tensor] | None = None) -> Together | None:
    return Together(layers, before) if layers and _alike(layers) else None


def fused_for(networks: Iterable[nn.Module], device: torch.device, dtype: torch.dtype, spec: PainterSpec) -> Fused:
    """The networks as they are computed quickest there: none is changed on a CPU, and none in float32, which is to be exact."""
    if device.type != "cuda" or dtype == torch.float32 or FUSING in spec.without:
        return Fused((), None)
    convolved = convolved_by_cudnn if _convolves(convolved_by_cudnn, device, dtype) else None
    return Fused(networks, kernels_for(device), convolved, activations=not spec.compiled)  # a compiler does those itself


@torch.inference_mode()
def _convolves(convolved: Convolved, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether it gives what torch gives there, of a few numbers."""
    layer = nn.Conv2d(8, 8, 3, padding=1, device=device, dtype=dtype)
    lay_out(layer)
    x = torch.randn(1, 8, 6, 6, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    try:
        pairs = [(convolved(layer, x, added), convolved_by_torch(layer, x, added)) for added in (None, x)]
    except RuntimeError:
        return False
    return all(torch.allclose(one, other, atol=CLOSE, rtol=CLOSE) for one, other in pairs)


def convolved_by_cudnn(convolution: nn.Conv2d, x: Tensor, added: Tensor | None) -> Tensor:
    """In one launch. Raises RuntimeError on what is no CUDA tensor."""
    weight, bias = convolution.weight, convolution.bias
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    how: Any = convolution.stride, convolution.padding, convolution.dilation, convolution.groups
    if added is None:
        return torch.cudnn_convolution_relu(x, weight, bias, *how)
    return torch.cudnn_convolution_add_relu(x, weight, added, 1.0, bias, *how)


def convolved_by_torch(convolution: nn.Conv2d, x: Tensor, added: Tensor | None) -> Tensor:
    """The same, launch by launch."""
    found: Tensor = convolution(x)
    return F.relu(found if added is None else found + added)
