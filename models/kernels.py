"""Kernels of our own for a CUDA GPU, in Triton: what torch does in many launches, with numbers laid out anew in between.

torch normalises groups of channels in planes. Where convolutions lie channels last, that takes two copies of everything a norm,
besides four launches; the activation behind it is a fifth. Here it is two launches, and nothing is moved. Triton comes with
torch's CUDA builds for Linux; where there is none, or it does not work, layers are computed as torch does.
"""

from __future__ import annotations

from collections.abc import Sequence
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
AT_ONCE = 16384  # numbers of a group that one program may hold: two launches are one then
MANY = 1024  # numbers a program where each is by itself
LARGEST = 2**31 - 2 * MANY  # numbers that are counted in 32 bits, which divide quickly
CLOSE = 2e-2  # how far half precision may be off torch's numbers, of size one


class Kernels(Protocol):
    """What is computed in fewer launches."""

    def norm(
        self, x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool, added: Tensor | None = None, biased: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        """Group normalisation of x + added + biased, then SiLU if so. x: (B, C, h, w), channels last or brought there; added: (B, C);
        biased: (C,)."""

    def gated(self, x: Tensor) -> Tensor:
        """The first half of x's last axis times the GELU of the second: (..., 2 D) to (..., D)."""

    def summed(self, one: Tensor, other: Tensor, biases: Sequence[Tensor]) -> Tensor:
        """one + other + all of up to two biases (C,), of (B, C, h, w), channels last or brought there."""

    def row_norm(
        self, x: Tensor, told: Tensor, biased: Tensor | None, weight: Tensor, bias: Tensor, eps: float, more: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """x + told + biased + more, and the layer normalisation of x + told + biased. x, told: (B, N, D); biased, more: (D,)."""

    def doubled(self, x: Tensor) -> Tensor:
        """Each pixel of (B, C, h, w), channels last or brought there, four times: (B, C, 2 h, 2 w)."""


if triton is not None:
    WHATEVER = ["rows", "channels", "width", "splits", "eps"]  # sizes for which no kernel of their own is compiled

    @triton.jit
    def _further(added, biased, crop, channels, channel, known, ADDS: tl.constexpr, BIASED: tl.constexpr):  # type: ignore[no-untyped-def]
        """What is added to every pixel of a crop's channels."""
        more = tl.zeros(channel.shape, tl.float32)
        if ADDS:
            more += tl.load(added + crop * channels + channel, mask=known, other=0.0).to(tl.float32)
        if BIASED:
            more += tl.load(biased + channel, mask=known, other=0.0).to(tl.float32)
        return more

    @triton.jit(do_not_specialize=WHATEVER)
    def _sums(  # type: ignore[no-untyped-def]
        x, added, biased, sums, rows, channels, width, splits, ROWS: tl.constexpr, WIDE: tl.constexpr, ADDS: tl.constexpr, BIASED: tl.constexpr,
    ):  # fmt: skip
        """Sum and sum of squares of a group's part. Programs: (crop and group, part)."""
        groups = channels // width
        crop, group, part = tl.program_id(0) // groups, tl.program_id(0) % groups, tl.program_id(1)
        row, column = tl.arange(0, ROWS), tl.arange(0, WIDE)
        many = tl.cdiv(rows, splits)
        last = tl.minimum((part + 1) * many, rows)
        total, squares = tl.zeros((ROWS, WIDE), tl.float32), tl.zeros((ROWS, WIDE), tl.float32)
        more = _further(added, biased, crop, channels, group * width + column, column < width, ADDS, BIASED)
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
        x, added, biased, sums, weight, bias, out, rows, channels, width, splits, eps,
        ROWS: tl.constexpr, WIDE: tl.constexpr, SPLITS: tl.constexpr, ADDS: tl.constexpr, BIASED: tl.constexpr, SILU: tl.constexpr,
    ):  # fmt: skip
        """Programs: (crop and group, rows). SPLITS: 0 where a program has all rows of a group, and no sums were taken before."""
        groups = channels // width
        crop, group = tl.program_id(0) // groups, tl.program_id(0) % groups
        row, column = tl.program_id(1) * ROWS + tl.arange(0, ROWS), tl.arange(0, WIDE)
        channel = group * width + column
        known = column < width
        inside = (row < rows)[:, None] & known[None, :]
        at = (crop * rows + row).to(tl.int64)[:, None] * channels + channel[None, :]
        more = _further(added, biased, crop, channels, channel, known, ADDS, BIASED)
        seen = tl.load(x + at, mask=inside, other=0.0).to(tl.float32) + more[None, :]
        count = (rows * width).to(tl.float32)
        if SPLITS:
            part = tl.arange(0, SPLITS)
            of_it = sums + (tl.program_id(0) * splits + part) * 2
            mean = tl.sum(tl.load(of_it, mask=part < splits, other=0.0)) / count
            spread = tl.sum(tl.load(of_it + 1, mask=part < splits, other=0.0)) / count - mean * mean
        else:
            mean = tl.sum(tl.where(inside, seen, 0.0)) / count
            off = tl.where(inside, seen - mean, 0.0)
            spread = tl.sum(off * off) / count
        slope = tl.load(weight + channel, mask=known, other=0.0).to(tl.float32) / tl.sqrt(tl.maximum(spread, 0.0) + eps)
        shift = tl.load(bias + channel, mask=known, other=0.0).to(tl.float32)
        found = (seen - mean) * slope[None, :] + shift[None, :]
        if SILU:
            found = found / (1 + tl.exp(-found))
        tl.store(out + at, found.to(out.dtype.element_ty), mask=inside)

    @triton.jit
    def _gated(x, out, count, width, MANY: tl.constexpr):  # type: ignore[no-untyped-def]
        at = tl.program_id(0) * MANY + tl.arange(0, MANY)
        inside = at < count
        row = at // width
        value = tl.load(x + at + row * width, mask=inside, other=0.0).to(tl.float32)
        gate = tl.load(x + at + (row + 1) * width, mask=inside, other=0.0).to(tl.float32)
        found = value * gate * 0.5 * (1 + tl.erf(gate * 0.7071067811865476))
        tl.store(out + at, found.to(out.dtype.element_ty), mask=inside)

    @triton.jit
    def _summed(one, other, bias, more, out, count, channels, MANY: tl.constexpr, BIASES: tl.constexpr):  # type: ignore[no-untyped-def]
        at = tl.program_id(0) * MANY + tl.arange(0, MANY)
        inside = at < count
        channel = at % channels
        found = tl.load(one + at, mask=inside, other=0.0).to(tl.float32) + tl.load(other + at, mask=inside, other=0.0).to(tl.float32)
        if BIASES > 0:
            found += tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)
        if BIASES > 1:
            found += tl.load(more + channel, mask=inside, other=0.0).to(tl.float32)
        tl.store(out + at, found.to(out.dtype.element_ty), mask=inside)

    @triton.jit(do_not_specialize=["eps"])
    def _row_normed(  # type: ignore[no-untyped-def]
        x, told, biased, weight, bias, more, total, out, width, eps, WIDE: tl.constexpr, BIASED: tl.constexpr, MORE: tl.constexpr,
    ):  # fmt: skip
        """A program a row."""
        column = tl.arange(0, WIDE)
        known = column < width
        at = tl.program_id(0) * width + column
        found = tl.load(x + at, mask=known, other=0.0).to(tl.float32) + tl.load(told + at, mask=known, other=0.0).to(tl.float32)
        if BIASED:
            found += tl.load(biased + column, mask=known, other=0.0).to(tl.float32)
        mean = tl.sum(found) / width
        off = tl.where(known, found - mean, 0.0)
        scale = 1 / tl.sqrt(tl.sum(off * off) / width + eps)
        slope = tl.load(weight + column, mask=known, other=0.0).to(tl.float32)
        shift = tl.load(bias + column, mask=known, other=0.0).to(tl.float32)
        tl.store(out + at, (off * scale * slope + shift).to(out.dtype.element_ty), mask=known)
        if MORE:
            found += tl.load(more + column, mask=known, other=0.0).to(tl.float32)
        tl.store(total + at, found.to(total.dtype.element_ty), mask=known)

    @triton.jit
    def _doubled(x, out, count, channels, wide, MANY: tl.constexpr):  # type: ignore[no-untyped-def]
        """wide: of x."""
        at = tl.program_id(0) * MANY + tl.arange(0, MANY)
        inside = at < count
        channel, pixel = at % channels, at // channels
        left, top = pixel % (2 * wide) // 2, pixel // (2 * wide) // 2
        found = tl.load(x + (top * wide + left) * channels + channel, mask=inside)
        tl.store(out + at, found, mask=inside)


class PlainKernels:
    """The same as torch does it."""

    def norm(
        self, x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool, added: Tensor | None = None, biased: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        x = x if added is None else x + added[:, :, None, None]
        x = x if biased is None else x + biased[:, None, None]
        found = F.group_norm(x, groups, weight, bias, eps)
        return F.silu(found) if silu else found

    def gated(self, x: Tensor) -> Tensor:
        value, gate = x.chunk(2, -1)
        return value * F.gelu(gate)

    def summed(self, one: Tensor, other: Tensor, biases: Sequence[Tensor]) -> Tensor:
        found = one + other
        for bias in biases:
            found = found + bias[:, None, None]
        return found

    def row_norm(
        self, x: Tensor, told: Tensor, biased: Tensor | None, weight: Tensor, bias: Tensor, eps: float, more: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        found = (x + told if biased is None else x + told + biased).contiguous()
        normed = F.layer_norm(found, found.shape[-1:], weight, bias, eps)
        return found if more is None else found + more, normed

    def doubled(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


class TritonKernels(PlainKernels):
    def norm(
        self, x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool, added: Tensor | None = None, biased: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        x = _last(x)
        crops, channels, high, wide = x.shape
        rows, width = high * wide, channels // groups
        tile = triton.next_power_of_2(width)
        at_once = triton.next_power_of_2(rows) * tile <= AT_ONCE
        each = triton.next_power_of_2(rows) if at_once else max(TILE // tile, 16)
        splits = 0 if at_once else min(max(rows // (4 * each), 1), MOST_SPLITS)
        sums = weight if at_once else torch.empty(crops * groups, splits, 2, device=x.device, dtype=torch.float32)
        out = torch.empty_like(x)
        told = weight if added is None else added.contiguous(), weight if biased is None else biased
        which = {"ADDS": added is not None, "BIASED": biased is not None}
        warps = 8 if each * tile > 2 * TILE else 4
        with torch.cuda.device_of(x):  # Triton launches on the device that is current
            if not at_once:
                _sums[(crops * groups, splits)](x, *told, sums, rows, channels, width, splits, ROWS=each, WIDE=tile, **which)
            _normed[(crops * groups, triton.cdiv(rows, each))](
                x, *told, sums, weight, bias, out, rows, channels, width, splits, eps,
                ROWS=each, WIDE=tile, SPLITS=0 if at_once else MOST_SPLITS, SILU=silu, **which, num_warps=warps,
            )  # fmt: skip
        return out

    def gated(self, x: Tensor) -> Tensor:
        if x.numel() > LARGEST:
            return super().gated(x)
        x = x.contiguous()
        width = x.shape[-1] // 2
        out = x.new_empty(*x.shape[:-1], width)
        with torch.cuda.device_of(x):
            _gated[(triton.cdiv(out.numel(), MANY),)](x, out, out.numel(), width, MANY=MANY)
        return out

    def summed(self, one: Tensor, other: Tensor, biases: Sequence[Tensor]) -> Tensor:
        if one.numel() > LARGEST:
            return super().summed(one, other, biases)
        one, other = _last(one), _last(other)
        out = torch.empty_like(one)
        with torch.cuda.device_of(one):
            _summed[(triton.cdiv(out.numel(), MANY),)](one, other, *[*biases, one, one][:2], out, out.numel(), one.shape[1], MANY=MANY, BIASES=len(biases))
        return out

    def row_norm(
        self, x: Tensor, told: Tensor, biased: Tensor | None, weight: Tensor, bias: Tensor, eps: float, more: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        x, told = x.contiguous(), told.contiguous()
        total, out = torch.empty_like(x), torch.empty_like(x)
        width = x.shape[-1]
        first, second = (weight if one is None else one for one in (biased, more))
        with torch.cuda.device_of(x):
            _row_normed[(x.numel() // width,)](
                x, told, first, weight, bias, second, total, out, width, eps,
                WIDE=triton.next_power_of_2(width), BIASED=biased is not None, MORE=more is not None,
            )  # fmt: skip
        return total, out

    def doubled(self, x: Tensor) -> Tensor:
        if 4 * x.numel() > LARGEST:
            return super().doubled(x)
        x = _last(x)
        crops, channels, high, wide = x.shape
        out = torch.empty((crops, channels, 2 * high, 2 * wide), device=x.device, dtype=x.dtype, memory_format=torch.channels_last)
        with torch.cuda.device_of(x):
            _doubled[(triton.cdiv(out.numel(), MANY),)](x, out, out.numel(), channels, wide, MANY=MANY)
        return out


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


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
    shapes = (2, 40, 9, 6), (2, 40), (40,), (40,), (2, 40, 130, 80)
    x, added, weight, bias, large = (torch.randn(shape, generator=generator).to(device, torch.float16) for shape in shapes)

    def found(kernels: Kernels) -> list[Tensor]:
        norms = [kernels.norm(one, 4, weight, bias, 1e-5, *told) for one in (x, large) for told in ((True, added, bias), (False, None, None))]
        sums = [kernels.summed(x, 2 * x, biases) for biases in ((), (bias,), (bias, weight))]
        rows = x.flatten(2).transpose(1, 2)
        normed = [one for told in ((bias, weight), (None, None)) for one in kernels.row_norm(rows, rows, told[0], weight, bias, 1e-5, told[1])]
        return [one.float() for one in (*norms, *sums, *normed, kernels.gated(x), kernels.doubled(x))]

    return all(torch.allclose(one, two, atol=CLOSE, rtol=CLOSE) for one, two in zip(found(ours), found(other), strict=True))
