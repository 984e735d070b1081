"""Networks whose weights stay packed, as a GGUF file has them: diffusers' own layers unpack each as it is used."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError
from models.bits import layer_for, unpacked_bits
from models.rows import RowLinear, in_rows, unpacked_rows


def need_gguf(path: Path) -> None:
    """Raises CheckpointError where the package that diffusers unpacks with is not there."""
    if importlib.util.find_spec("gguf") is None:
        raise CheckpointError(f"{path} is GGUF, which needs the package gguf; install it (pip install gguf) and try again")


def parameter(packed: Tensor, number: int) -> Any:
    """packed: uint8 (rows, bytes), of the kind that has this number in GGUF files."""
    import gguf
    from diffusers.quantizers.gguf.utils import GGUFParameter

    return GGUFParameter(packed, quant_type=gguf.GGMLQuantizationType(number))


def is_packed(tensor: Tensor) -> bool:
    return hasattr(tensor, "quant_type")


def in_bits(tensor: Tensor) -> bool:
    """Whether bitsandbytes packed it."""
    return hasattr(tensor, "quant_state")


def unpacked(tensor: Tensor) -> Tensor:
    """In float32."""
    if in_rows(tensor):
        return unpacked_rows(tensor)
    if in_bits(tensor):
        return unpacked_bits(tensor)
    from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

    return dequantize_gguf_tensor(tensor).float()


def packed_network(network: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the network layers for what is packed, and take it in; the tensors that are left for it, unpacked where no layer
    can do that as it goes."""
    tensors = _in_layers_of_bits(network, tensors)
    if not any(map(is_packed, tensors.values())):
        return dict(tensors)
    from diffusers.quantizers.gguf.utils import GGUFLinear, _replace_with_gguf_linear

    given = {key: tensor for key, tensor in tensors.items() if is_packed(tensor)}
    _replace_with_gguf_linear(network, torch.float32, given)
    held = next((tensor.dtype for key, tensor in tensors.items() if key not in given and tensor.is_floating_point()), torch.float32)
    left = {}
    for key, tensor in tensors.items():
        owner, _, name = key.rpartition(".")
        layer = network.get_submodule(owner)
        if key in given and isinstance(layer, GGUFLinear):
            setattr(layer, name, tensor.view(torch.int8) if _asked_for_its_format(network, owner) else tensor)
            layer.register_forward_pre_hook(_computes_in_what_it_is_given)
        else:
            left[key] = unpacked(tensor).to(held) if key in given else tensor
    return left


def _asked_for_its_format(network: nn.Module, owner: str) -> bool:
    """Whether what is around a layer gives it numbers in its weight's format, unless that is of whole numbers with a sign: T5's
    does in transformers."""
    above, _, name = owner.rpartition(".")
    return name == "wo" and type(network.get_submodule(above)).__name__.startswith("T5Dense")


def _in_layers_of_bits(network: nn.Module, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """What is packed into bits, or kept in rows of eight, goes into layers of its own; the tensors that are left, unpacked where no
    layer takes them so."""
    left = {}
    for key, tensor in tensors.items():
        owner, _, _ = key.rpartition(".")
        above, _, name = owner.rpartition(".")
        plain = network.get_submodule(owner) if in_bits(tensor) or in_rows(tensor) else None
        if type(plain) is nn.Linear:
            setattr(network.get_submodule(above), name, RowLinear(plain, tensor) if in_rows(tensor) else layer_for(plain, tensor))
        else:
            left[key] = unpacked(tensor) if plain is not None else tensor
    return left


def _computes_in_what_it_is_given(layer: Any, given: tuple[Tensor, ...]) -> None:
    layer.compute_dtype = given[0].dtype
