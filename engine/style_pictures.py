"""A style after a reference picture: its colours, how light and how grainy it is, and what its pattern is most like."""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageFilter

from engine.styles import Style

SIDE = 64  # pixels: what is looked at of the picture
CLOSE = 256  # pixels a side of its middle that is looked at closely
COLOURS = 8
DARK = 0.42  # lightness of the typical pixel below which a picture asks for dark grounds
PLAIN = 0.012  # spread of lightness below which a picture counts as flat
COARSE = 5  # periods a side: up to here a texture is broad
VIVID = 0.45  # least saturation of accents, unless the picture is grey


def from_picture(pixels: np.ndarray) -> Style:
    """The style that a picture, uint8 (H, W, 3) of at least one pixel, suggests.

    Grounds and wallpaper take the hue of what covers most of it, accents that of its most vivid part. Raises ValueError
    for an array of another form.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size or pixels.dtype != np.uint8:
        raise ValueError(f"a picture is uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
    small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    share, hls = _clusters(small)
    ground, accent = int(share.argmax()), int((share**0.5 * _colourful(hls)).argmax())
    light = np.asarray(small.convert("L"), np.float64) / 255
    dark = float(np.median(light)) < DARK
    grey = _colourful(hls).max() < 0.08
    wall = hls[ground]
    return Style(
        dark=float(dark), hue=wall[0], saturation=float(np.clip(_colourful(hls)[ground] * 0.6, 0, 0.5)),
        accent=hls[accent][0], vivid=0.1 if grey else float(max(hls[accent][2], VIVID)),
        wall_hue=wall[0], wall_saturation=float(min(wall[2], 0.7)),
        wall_light=float(np.clip(wall[1], *((0.05, 0.34) if dark else (0.55, 0.86)))),
        wallpaper=_texture(light), grain=_grain(pixels),
    )  # fmt: skip


def _grain(pixels: np.ndarray) -> float:
    """How grainy a picture is, in [0, 1]: what its middle has of lightness beside that of the pixels around."""
    height, width = (min(length, CLOSE) for length in pixels.shape[:2])
    y, x = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    middle = Image.fromarray(pixels[y : y + height, x : x + width]).convert("L")
    apart = np.asarray(middle, np.float64) - np.asarray(middle.filter(ImageFilter.BoxBlur(1)), np.float64)
    return float(np.clip((np.median(np.abs(apart)) - 1) / 8, 0, 1))  # the median: a few edges are no grain


def _clusters(small: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """The picture's main colours: their shares (n,), and hue, lightness, saturation (n, 3), all in [0, 1]."""
    reduced = small.quantize(COLOURS, Image.Quantize.MEDIANCUT)
    counts = np.bincount(np.asarray(reduced).ravel())
    palette = np.array(reduced.getpalette()[: 3 * len(counts)]).reshape(-1, 3) / 255  # type: ignore[index]
    return counts / counts.sum(), np.array([colorsys.rgb_to_hls(*colour) for colour in palette])


def _colourful(hls: np.ndarray) -> np.ndarray:
    """How far from grey colours are, (n,): what is nearly black or white has a saturation but shows no hue."""
    return np.asarray(hls[:, 2] * (1 - np.abs(2 * hls[:, 1] - 1)))


def _texture(light: np.ndarray) -> str:
    """The wallpaper that lightness (SIDE, SIDE) in [0, 1] is most like."""
    if light.std() < PLAIN:
        return "flat"
    rows, columns = light.mean(1), light.mean(0)
    slope = np.polyfit(np.arange(SIDE), rows, 1)
    if np.abs(rows - np.polyval(slope, np.arange(SIDE))).std() < 0.4 * rows.std() and columns.std() < rows.std():
        return "gradient"
    power = np.abs(np.fft.fft2(light - light.mean())) ** 2
    v, u = np.unravel_index(int(power[: SIDE // 2 + 1].argmax()), (SIDE // 2 + 1, SIDE))
    across = min(int(u), SIDE - int(u))
    if max(int(v), across) <= COARSE:
        return "waves" if int(v) > 1 else "hills"
    one_way = power[v, u] + power[-v, -u]
    return "stripes" if one_way > 0.3 * power.sum() else "dots"
