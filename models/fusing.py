"""Fewer launches on a GPU: layers of diffusers' networks computed by `models.kernels`, and cuDNN's convolutions with their
activation in one. Weights stay where and what they are; each layer can be as it was before at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.activations import GEGLU
from diffusers.models.autoencoders.vae import DecoderTiny, EncoderTiny
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_blocks import AutoencoderTinyBlock
from torch import Tensor, nn

from engine.painter import FUSING, PainterSpec
from models.devices import lay_out
from models.kernels import CLOSE, Kernels, kernels_for

Convolved = Callable[[nn.Conv2d, Tensor, Tensor | None], Tensor]


class Fused:
    """Networks whose layers were replaced. kernels: None leaves all but convolutions as they are; convolved: a convolution, what is
    added to it if anything, and ReLU in one launch; None leaves those as they are. activations: whether gates are, too."""

    def __init__(
        self, networks: Iterable[nn.Module], kernels: Kernels | None, convolved: Convolved | None = None, activations: bool = True
    ) -> None:
        self._layers: list[tuple[Any, str]] = []
        for layer in [layer for network in networks for layer in network.modules()]:
            if kernels is not None:
                self._fuse(layer, kernels, activations)
            if convolved is not None and isinstance(layer, EncoderTiny | DecoderTiny):
                self._put(layer.layers, "forward", _tiny(convolved))

    def __bool__(self) -> bool:
        return bool(self._layers)

    def undo(self) -> None:
        """Every layer is as it was."""
        for layer, name in self._layers:
            delattr(layer, name)
        self._layers.clear()

    def _fuse(self, layer: Any, kernels: Kernels, activations: bool) -> None:
        if isinstance(layer, ResnetBlock2D) and _is_plain(layer):
            self._put(layer, "forward", _resnet(kernels))
        elif isinstance(layer, nn.GroupNorm) and layer.affine:  # of a block as above it is not asked
            self._put(layer, "forward", _norm(kernels))
        elif isinstance(layer, Transformer2DModel) and layer.is_input_continuous:
            self._put(layer, "_get_output_for_continuous_inputs", _as_it_lies)
        elif activations and type(layer) is GEGLU:
            self._put(layer, "forward", _gated(kernels))

    def _put(self, layer: Any, name: str, function: Callable[..., Any]) -> None:
        setattr(layer, name, MethodType(function, layer))
        self._layers.append((layer, name))


def fused_for(networks: Iterable[nn.Module], device: torch.device, dtype: torch.dtype, spec: PainterSpec) -> Fused:
    """The networks as they are computed quickest there: none is changed on a CPU, and none in float32, which is to be exact."""
    if device.type != "cuda" or dtype == torch.float32 or FUSING in spec.without:
        return Fused((), None)
    convolved = convolved_by_cudnn if _convolves(convolved_by_cudnn, device, dtype) else None
    return Fused(networks, kernels_for(device), convolved, activations=not spec.compiled)  # a compiler does those itself


def _is_plain(block: ResnetBlock2D) -> bool:
    changed = block.upsample is not None or block.downsample is not None or block.skip_time_act or block.time_embedding_norm != "default"
    return not changed and isinstance(block.nonlinearity, nn.SiLU) and not block.training


def _resnet(kernels: Kernels) -> Callable[..., Tensor]:
    """ResnetBlock2D.forward: activations and what is added go along with the norms."""

    def forward(block: Any, input_tensor: Tensor, temb: Tensor | None = None) -> Tensor:
        first, second, convolution = block.norm1, block.norm2, block.conv1
        hidden = kernels.norm(input_tensor, first.num_groups, first.weight, first.bias, first.eps, True)
        added = None
        if type(convolution) is nn.Conv2d and convolution.bias is not None:  # else it is a LoRA's, say
            hidden = F.conv2d(hidden, convolution.weight, None, convolution.stride, convolution.padding, convolution.dilation, convolution.groups)
            added = convolution.bias.expand(len(hidden), -1)
        else:
            hidden = convolution(hidden)
        if block.time_emb_proj is not None and temb is not None:
            told = block.time_emb_proj(F.silu(temb))
            added = told if added is None else told + added
        hidden = kernels.norm(hidden, second.num_groups, second.weight, second.bias, second.eps, True, added)
        hidden = block.conv2(hidden)
        kept = input_tensor if block.conv_shortcut is None else block.conv_shortcut(input_tensor)
        found: Tensor = kept + hidden
        return found if block.output_scale_factor == 1 else found / block.output_scale_factor

    return forward


def _norm(kernels: Kernels) -> Callable[..., Tensor]:
    def forward(norm: Any, x: Tensor) -> Tensor:
        if x.ndim != 4:
            return F.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps)
        return kernels.norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps, False)

    return forward


def _gated(kernels: Kernels) -> Callable[..., Tensor]:
    def forward(layer: Any, hidden_states: Tensor) -> Tensor:
        return kernels.gated(layer.proj(hidden_states))

    return forward


def _as_it_lies(
    transformer: Any, hidden_states: Tensor, residual: Tensor, batch_size: int, height: int, width: int, inner_dim: int
) -> Tensor:
    """As the library does it, but channels stay last."""
    if transformer.use_linear_projection:
        hidden_states = transformer.proj_out(hidden_states)
    shown = hidden_states.reshape(batch_size, height, width, -1).permute(0, 3, 1, 2)
    found: Tensor = (shown if transformer.use_linear_projection else transformer.proj_out(shown)) + residual
    return found


def _tiny(convolved: Convolved) -> Callable[..., Tensor]:
    """The layers of a tiny autoencoder's half, in their order."""

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
            else:
                x = layer(x)
        return x

    return forward


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
