"""Kernels of our own for a CUDA GPU, in Triton: what torch does in many launches, with numbers laid out anew in between.

torch normalises groups of channels in planes. Where convolutions lie channels last, that takes two copies of everything a norm,
besides four launches; the activation behind it is a fifth. Here it is two launches, and nothing is moved. Triton comes with
torch's CUDA builds for Linux; where there is none, or it does not work, layers are computed as torch does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError:  # nothing below is compiled then
    triton = None

MOST_SPLITS = 64  # parts of a group whose sums are taken apart
TILE = 2048  # numbers that a program works on at once
CLOSE = 2e-2  # how far half precision may be off torch's numbers, of size one


class Kernels(Protocol):
    """What is computed in fewer launches."""

    def norm(self, x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool, added: Tensor | None = None) -> Tensor:
        """Group normalisation of x + added, then SiLU if so. x: (B, C, h, w), channels last or brought there; added: (B, C)."""

    def gated(self, x: Tensor) -> Tensor:
        """The first half of x's last axis times the GELU of the second: (..., 2 D) to (..., D)."""


if triton is not None:
    WHATEVER = ["rows", "channels", "width", "splits", "eps"]  # sizes for which no kernel of their own is compiled

    @triton.jit(do_not_specialize=WHATEVER)
    def _sums(x, added, sums, rows, channels, width, splits, ROWS: tl.constexpr, WIDE: tl.constexpr, ADDS: tl.constexpr):  # type: ignore[no-untyped-def]
        """Sum and sum of squares of a group's part. Programs: (crop and group, part)."""
        groups = channels // width
        crop, group, part = tl.program_id(0) // groups, tl.program_id(0) % groups, tl.program_id(1)
        row, column = tl.arange(0, ROWS), tl.arange(0, WIDE)
        many = tl.cdiv(rows, splits)
        last = tl.minimum((part + 1) * many, rows)
        total, squares = tl.zeros((ROWS, WIDE), tl.float32), tl.zeros((ROWS, WIDE), tl.float32)
        more = tl.zeros((WIDE,), tl.float32)
        if ADDS:
            more = tl.load(added + crop * channels + group * width + column, mask=column < width, other=0.0).to(tl.float32)
        for top in range(part * many, last, ROWS):
            inside = (top + row < last)[:, None] & (column < width)[None, :]
            at = (crop * rows + top + row).to(tl.int64)[:, None] * channels + group * width + column[None, :]
            seen = tl.load(x + at, mask=inside, other=0.0).to(tl.float32) + more[None, :]
            seen = tl.where(inside, seen, 0.0)
            total += seen
            squares += seen * seen
        at = (tl.program_id(0) * splits + part) * 2
        tl.store(sums + at, tl.sum(total))
        tl.store(sums + at + 1, tl.sum(squares))

    @triton.jit(do_not_specialize=WHATEVER)
    def _normed(  # type: ignore[no-untyped-def]
        x, added, sums, weight, bias, out, rows, channels, width, splits, eps,
        ROWS: tl.constexpr, WIDE: tl.constexpr, SPLITS: tl.constexpr, ADDS: tl.constexpr, SILU: tl.constexpr,
    ):  # fmt: skip
        """Programs: (crop and group, rows)."""
        groups = channels // width
        crop, group = tl.program_id(0) // groups, tl.program_id(0) % groups
        part = tl.arange(0, SPLITS)
        at = (tl.program_id(0) * splits + part) * 2
        count = (rows * width).to(tl.float32)
        mean = tl.sum(tl.load(sums + at, mask=part < splits, other=0.0)) / count
        spread = tl.sum(tl.load(sums + at + 1, mask=part < splits, other=0.0)) / count - mean * mean
        scale = 1 / tl.sqrt(tl.maximum(spread, 0.0) + eps)
        row, column = tl.program_id(1) * ROWS + tl.arange(0, ROWS), tl.arange(0, WIDE)
        channel = group * width + column
        known = column < width
        slope = tl.load(weight + channel, mask=known, other=0.0).to(tl.float32) * scale
        more = -mean
        if ADDS:
            more = tl.load(added + crop * channels + channel, mask=known, other=0.0).to(tl.float32) - mean
        shift = tl.load(bias + channel, mask=known, other=0.0).to(tl.float32) + more * slope
        inside = (row < rows)[:, None] & known[None, :]
        at = (crop * rows + row).to(tl.int64)[:, None] * channels + channel[None, :]
        found = tl.load(x + at, mask=inside, other=0.0).to(tl.float32) * slope[None, :] + shift[None, :]
        if SILU:
            found = found / (1 + tl.exp(-found))
        tl.store(out + at, found.to(out.dtype.element_ty), mask=inside)

    @triton.jit(do_not_specialize=["count", "width"])
    def _gated(x, out, count, width, MANY: tl.constexpr):  # type: ignore[no-untyped-def]
        at = tl.program_id(0).to(tl.int64) * MANY + tl.arange(0, MANY)
        inside = at < count
        row = at // width
        value = tl.load(x + at + row * width, mask=inside, other=0.0).to(tl.float32)
        gate = tl.load(x + at + (row + 1) * width, mask=inside, other=0.0).to(tl.float32)
        found = value * gate * 0.5 * (1 + tl.erf(gate * 0.7071067811865476))
        tl.store(out + at, found.to(out.dtype.element_ty), mask=inside)


class TritonKernels:
    def norm(self, x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool, added: Tensor | None = None) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        crops, channels, high, wide = x.shape
        rows, width = high * wide, channels // groups
        tile = triton.next_power_of_2(width)
        each = max(TILE // tile, 16)
        splits = min(max(rows // (4 * each), 1), MOST_SPLITS)
        sums = torch.empty(crops * groups, splits, 2, device=x.device, dtype=torch.float32)
        out = torch.empty_like(x)
        more = weight if added is None else added.contiguous()
        adds = added is not None
        with torch.cuda.device_of(x):  # Triton launches on the device that is current
            _sums[(crops * groups, splits)](x, more, sums, rows, channels, width, splits, ROWS=each, WIDE=tile, ADDS=adds)
            _normed[(crops * groups, triton.cdiv(rows, each))](
                x, more, sums, weight, bias, out, rows, channels, width, splits, eps,
                ROWS=each, WIDE=tile, SPLITS=MOST_SPLITS, ADDS=adds, SILU=silu,
            )  # fmt: skip
        return out

    def gated(self, x: Tensor) -> Tensor:
        x = x.contiguous()
        width = x.shape[-1] // 2
        out = x.new_empty(*x.shape[:-1], width)
        with torch.cuda.device_of(x):
            _gated[(triton.cdiv(out.numel(), 1024),)](x, out, out.numel(), width, MANY=1024)
        return out


class PlainKernels:
    """The same as torch does it."""

    def norm(self, x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool, added: Tensor | None = None) -> Tensor:
        x = x if added is None else x + added[:, :, None, None]
        found = F.group_norm(x, groups, weight, bias, eps)
        return F.silu(found) if silu else found

    def gated(self, x: Tensor) -> Tensor:
        value, gate = x.chunk(2, -1)
        return value * F.gelu(gate)


@lru_cache(maxsize=4)
def kernels_for(device: torch.device) -> Kernels | None:
    """Those that work there, tried on a few numbers; None where torch's own are to be used."""
    if device.type != "cuda" or triton is None:
        return None
    try:
        return TritonKernels() if _agree(TritonKernels(), PlainKernels(), device) else None
    except Exception:  # noqa: BLE001 - a compiler that is missing or does not know the card raises what it likes
        return None


def _agree(ours: Kernels, other: Kernels, device: torch.device) -> bool:
    generator = torch.Generator().manual_seed(0)
    x, added, weight, bias = (torch.randn(shape, generator=generator).to(device, torch.float16) for shape in ((2, 40, 9, 6), (2, 40), (40,), (40,)))

    def found(kernels: Kernels) -> list[Tensor]:
        norms = (kernels.norm(x, 4, weight, bias, 1e-5, silu, more).float() for silu, more in ((True, added), (False, None)))
        return [*norms, kernels.gated(x).float()]

    return all(torch.allclose(one, two, atol=CLOSE, rtol=CLOSE) for one, two in zip(found(ours), found(other), strict=True))
