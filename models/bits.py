"""Weights in four bits, by bitsandbytes (Dettmers et al., 2023, arXiv:2305.14314): as diffusers folders hold them, or packed here.

In a folder each lies in a file as bytes, with how large its blocks are and how they are to be unpacked beside it. What is said there is
looked over here, and the library's own layer is given no more than numbers that are known to go together.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError
from models.number_formats import FLOATS
from models.packing import can_pack
from models.plain_files import parsed
from models.rows import parameter, pieces_in

PIECE = re.compile(r"(?P<weight>.+\.weight)\.(?P<piece>absmax|quant_map|nested_absmax|nested_quant_map|quant_state\.bitsandbytes__(nf4|fp4))")
STATE = re.compile(r"quant_state\.bitsandbytes__(nf4|fp4)")
BLOCKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
WHOLE = re.compile(r"(^|\.)(shared|wo|lm_head|\w*embed\w*|relative_attention_bias)\.weight$")  # two-dimensional, and never packed
BETWEEN = "|"  # in no tensor's name: between a weight's and its piece's


class Packed(NamedTuple):
    """One weight's pieces, by the file's names; shape: once it is unpacked."""

    names: dict[str, str]
    shape: tuple[int, ...]
    rows: bool = False  # whether it is kept as `models.rows` reads it


def pieces_of(entries: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> dict[str, Packed]:
    """The packed weights of a file, by name. entries: its header; shapes: of the weights that the network has, by the file's
    names. Raises CheckpointError for pieces that do not go together."""
    rows = {weight: Packed(names, shapes[weight], True) for weight, names in pieces_in(entries, shapes, path).items()}
    found: dict[str, dict[str, str]] = {}
    for name in entries:
        if (told := PIECE.fullmatch(name)) and told["weight"] in shapes:
            held = found.setdefault(told["weight"], {"weight": told["weight"]})
            held["state" if STATE.fullmatch(told["piece"]) else told["piece"]] = name
    for weight, names in found.items():
        count, entry = math.prod(shapes[weight]), entries.get(weight)
        nested = {"nested_absmax", "nested_quant_map"} & names.keys()
        missing = {"absmax", "quant_map", "state"} - names.keys() or len(nested) == 1 or len(shapes[weight]) != 2
        if missing or entry is None or entry.dtype != "U8" or math.prod(entry.shape) != -(-count // 2):
            raise CheckpointError(f"{path}: {weight} is packed, and its pieces do not go together; copy the file again")
        kinds = {"quant_map": "F32", "absmax": "U8" if nested else "F32", "nested_absmax": "F32", "nested_quant_map": "F32", "state": "U8"}
        for piece, name in names.items():
            if piece in kinds and (entries[name].dtype != kinds[piece] or math.prod(entries[name].shape) > max(count, 2**16)):
                raise CheckpointError(f"{path}: {name} is {entries[name].shape} {entries[name].dtype}, which unpacks nothing; copy the file again")
    return rows | {weight: Packed(names, shapes[weight]) for weight, names in found.items()}


def gathered(tensors: Mapping[str, Tensor], packed: Mapping[str, Packed], path: Path) -> dict[str, Tensor]:
    """Tensors of which the pieces of each packed weight have become one. packed: by the network's names; pieces stand under
    that name, BETWEEN, and the piece's. Raises CheckpointError."""
    found = {key: tensor for key, tensor in tensors.items() if BETWEEN not in key}
    for key, weight in packed.items():
        pieces = {piece: tensors[f"{key}{BETWEEN}{piece}"] for piece in weight.names}
        found[key] = parameter(pieces, path, key) if weight.rows else _parameter(weight, pieces, path, key)
    return found


def linear_numbers(network: nn.Module) -> int:
    """How many of a network's numbers `pack` would put into four bits."""
    return sum(layer.weight.numel() for _, layer in _packable(network)) if can_pack() else 0


def linear_entries(entries: Mapping[str, Any]) -> int:
    """The same by a file's header."""
    floats = [(name, entry.shape) for name, entry in entries.items() if entry.dtype in FLOATS and name.endswith(".weight")]
    return sum(math.prod(shape) for name, shape in floats if len(shape) == 2 and not WHOLE.search(name)) if can_pack() else 0


def pack(network: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Put the weights of its linear layers into four bits (nf4), one after the other, each on the device; what was packed stays
    as it is. dtype: what they are unpacked to.

    diffusers' BitsAndBytesConfig comes to the same weights, but only through `from_pretrained`, which no checkpoint is given to
    here: what is packed was read by `models.weights`.
    """
    from bitsandbytes.nn import Params4bit

    for name, plain in _packable(network):
        above, _, own = name.rpartition(".")
        whole: Any = Params4bit(plain.weight.data.to(device, dtype), requires_grad=False, quant_type="nf4", compress_statistics=False)
        layer = layer_for(plain, whole.to(device))
        layer.bias, layer.compute_dtype = plain.bias, dtype  # in what numbers it wants to be asked, as some networks look up
        setattr(network.get_submodule(above), own, layer)


def _packable(network: nn.Module) -> list[tuple[str, nn.Linear]]:
    """Linear layers by name, but for those that the libraries keep whole: named so by the network, a LoRA's, and the one that
    gives words their likelihood, whose weight may be the words' own."""
    kept = {*(getattr(network, "_keep_in_fp32_modules", None) or ()), "lora_A", "lora_B"}
    head = getattr(network, "get_output_embeddings", lambda: None)()
    every = [(name, layer) for name, layer in network.named_modules() if type(layer) is nn.Linear and layer is not head]
    return [(name, layer) for name, layer in every if kept.isdisjoint(name.split("."))]


def unpacked_bits(weight: Any) -> Tensor:
    """In float32."""
    return _unpacked(weight).float()


def _unpacked(weight: Any) -> Tensor:
    """In the number format that it was packed from. As one row: on a CPU the library (0.50) takes every row for blocks of its own,
    and a width that is no multiple of a block comes out wrong."""
    from bitsandbytes.functional import dequantize_4bit

    told = copy.copy(weight.quant_state)
    shape, told.shape = told.shape, torch.Size((told.shape.numel(),))
    return dequantize_4bit(weight.data, told).view(shape)  # type: ignore[no-any-return]


def layer_for(linear: nn.Linear, weight: Any) -> Any:
    """The library's layer in the place of a plain one."""
    layer = _layer()(linear.in_features, linear.out_features, linear.bias is not None, quant_type=weight.quant_state.quant_type, device="meta")
    layer.weight = weight
    weight.module = layer
    return layer


@cache
def _layer() -> type[Any]:
    """Unpacks its weight whole, in whatever it is given: the library's own multiplication on a CPU asks for widths that are
    multiples of a block, and for code from a hub where there is some."""
    from bitsandbytes.nn import Linear4bit

    class Unpacking(Linear4bit):  # type: ignore[misc]
        def forward(self, given: Tensor) -> Tensor:
            weight = _unpacked(self.weight).to(given.dtype)
            return torch.nn.functional.linear(given, weight, None if self.bias is None else self.bias.to(given.dtype))

    return Unpacking


def _parameter(weight: Packed, pieces: Mapping[str, Tensor], path: Path, key: str) -> Any:
    from bitsandbytes.functional import QuantState
    from bitsandbytes.nn import Params4bit

    told = parsed(pieces["state"].numpy().tobytes(), path)
    kind = STATE.search(weight.names["state"])
    count, block, nested = math.prod(weight.shape), told.get("blocksize"), "nested_absmax" in pieces
    blocks = -(-count // block) if block in BLOCKS else -1
    second, offset = told.get("nested_blocksize"), told.get("nested_offset", 0.0)
    sound = (
        kind is not None and told.get("quant_type") == kind[1] and told.get("dtype") in DTYPES and told.get("shape") == list(weight.shape)
        and pieces["absmax"].numel() == blocks and pieces["quant_map"].numel() == 16
        and (not nested or (second in BLOCKS and pieces["nested_absmax"].numel() == -(-blocks // second) and pieces["nested_quant_map"].numel() == 256
                            and isinstance(offset, (int, float)) and math.isfinite(offset)))
    )  # fmt: skip
    if not sound:
        raise CheckpointError(f"{path}: how {key} is packed is told in a way that unpacks nothing; copy the file again")
    inner = QuantState(absmax=pieces["nested_absmax"].float(), blocksize=second, code=pieces["nested_quant_map"].float(), dtype=torch.float32) if nested else None
    state = QuantState(
        absmax=pieces["absmax"] if nested else pieces["absmax"].float(), shape=torch.Size(weight.shape), code=pieces["quant_map"].float(),
        blocksize=block, quant_type=kind[1] if kind else "", dtype=DTYPES[told["dtype"]], offset=torch.tensor(float(offset)) if nested else None,
        state2=inner,
    )  # fmt: skip
    return Params4bit(
        pieces["weight"], requires_grad=False, quant_state=state, blocksize=block, compress_statistics=nested, quant_type=state.quant_type,
        bnb_quantized=True,
    )  # fmt: skip
