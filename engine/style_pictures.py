"""A style after a reference picture: its main colours, how light and how grainy it is, what it is made of, and its pattern.

Textures and patterns are read from power spectra: which way the power lies, and at what distance the picture comes back. Each
is taken only where the picture shows it clearly, and all over.
"""

from __future__ import annotations

import colorsys
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from engine.legibility import luminance
from engine.materials import DEPTH, moved
from engine.styles import Style
from engine.theme import Role

SCREEN = 512  # pixels: to what side a larger picture is reduced, as it would be seen on a screen
SIDE = 64  # pixels: what is looked at for where light and colours lie
BROAD = 16  # pixels: what is left of a picture beyond its textures
CLOSE = 256  # pixels a side of its middle that is looked at closely
COLOURS = 8
NEAR = 30  # levels of lightness and colour: what is nearer counts as the same colour
DARK = 0.42  # lightness of the typical pixel below which a picture asks for dark grounds
PLAIN = 0.012  # spread of lightness below which a picture counts as flat
GREY = 0.08  # how colourful is what has a hue
LARGE = 0.15  # share of a picture from which on a colour is one of its two grounds
NOISE = 0.9  # grain from which on single pixels do not show the picture's colours
SLOPE = 0.1  # between the two lightnesses of a wallpaper that has one colour
VIVID = 0.45  # least saturation of accents, unless the picture is grey
FAINT, PLAINLY = 2.2, 4.0  # grey levels: the least spread of a texture, and of a pattern
TILE, TILES = 64, 4  # pixels a side of the parts whose spectra are compared, and how many of them there are each way
DEEP, PALE = 0.15, 0.32  # luminance up to which white can be read on a ground, and from which on black can, in shadows too
LAGS = 25  # pixels: how far a texture is followed to see whether it comes back
UNIT = {"scan": 0.6, "grid": 0.32, "hatch": 0.49, "streak": 0.15}  # the spread of textures at their strongest, by their depth

_PART = np.hanning(TILE + 2)[1:-1].astype(np.float32)  # fades towards a part's edges: they are no texture
_FADED = np.correlate(_PART, _PART, "full")[TILE - 1 : TILE - 1 + LAGS] / (_PART @ _PART)
_V, _U = np.meshgrid(*[np.fft.fftfreq(TILE, 1 / TILE)] * 2, indexing="ij")  # periods a part, down and across
_FINE = np.hypot(_V, _U) >= 2.5
_ANGLE = np.degrees(np.arctan2(np.abs(_V), np.abs(_U)))
_SLANTED = np.abs(_ANGLE - 45) < 20
_WAYS = ((np.abs(_U) < 2) | (_ANGLE > 78), (np.abs(_V) < 2) | (_ANGLE < 12), _SLANTED & (_V * _U > 0), _SLANTED & (_V * _U < 0))


def from_picture(pixels: np.ndarray) -> Style:
    """The style that a picture, uint8 (H, W, 3) of at least one pixel, suggests.

    Grounds take the hue of what covers most of it, the wallpaper that and the next colour's, accents that of its most vivid
    other part. Raises ValueError for an array of another form.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size or pixels.dtype != np.uint8:
        raise ValueError(f"a picture is uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
    seen = Image.fromarray(pixels)
    seen.thumbnail((SCREEN, SCREEN), Image.Resampling.BOX)
    grain = _grain(pixels)
    share, colours = _clusters(seen, grain > NOISE)
    hls = np.array([colorsys.rgb_to_hls(*colour) for colour in colours.tolist()])
    vivid = _colourful(hls)
    accent = int((share**0.5 * vivid * np.where(np.arange(len(hls)) > 0, 1, 0.3)).argmax())
    light = seen.convert("L")
    dark = float(np.median(np.asarray(light))) < 255 * DARK
    coloured = len(share) > 1 and share[1] > LARGE and np.ptp(colours[0] - colours[1]) > 0.2
    texture = _texture(light, bool(coloured))
    lower = _like(seen, colours[: 2][-1], colours[0])
    kind = "flat" if texture else _wallpaper(light, lower, dark)
    first, second = _grounds(kind, share, lower)
    grounds = colours[[first, second]] * min(1, 0.86 / colours[0].max() if "grid" in texture else 1)  # a grid is lighter than its ground
    made: dict[str, Any] = {**_walls(grounds, share[[first, second]]), **(texture or {"grain": grain})}
    if first == second and kind != "flat":
        made["wall_depth"] = SLOPE
    return Style(
        dark=float(dark), hue=float(hls[0][0]), saturation=float(np.clip(vivid[0] * 0.6, 0, 0.5)),
        accent=float(hls[accent][0]), vivid=0.1 if vivid.max() < GREY else float(max(hls[accent][2], VIVID)),
        wallpaper=kind, **made,
    )  # fmt: skip


def _grounds(kind: str, share: np.ndarray, lower: np.ndarray) -> tuple[int, int]:
    """Which of the picture's colours a wallpaper of that kind goes from, and to which."""
    if kind == "flat" or len(share) == 1 or (share[1] < LARGE and kind in ("gradient", "hills")):
        return 0, 0
    below = lower[SIDE // 2 :].mean() >= lower[: SIDE // 2].mean()
    return (0, 1) if below or kind not in ("gradient", "hills") else (1, 0)


def _grain(pixels: np.ndarray) -> float:
    """How grainy a picture is, in [0, 1]: what its middle has of lightness beside that of the pixels around."""
    height, width = (min(length, CLOSE) for length in pixels.shape[:2])
    y, x = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    middle = Image.fromarray(pixels[y : y + height, x : x + width]).convert("L")
    return float(np.clip((np.median(np.abs(_apart(middle))) - 1) / 8, 0, 1))  # the median: a few edges are no grain


def _apart(grey: Image.Image) -> np.ndarray:
    return np.asarray(grey, np.float32) - np.asarray(grey.filter(ImageFilter.BoxBlur(1)), np.float32)


def _clusters(seen: Image.Image, noisy: bool) -> tuple[np.ndarray, np.ndarray]:
    """The picture's main colours, the largest first: their shares (n,), and RGB (n, 3), all in [0, 1]."""
    pixels = np.asarray(seen).reshape(-1, 3)
    some = pixels[np.random.default_rng(0).integers(len(pixels), size=SIDE * SIDE)].reshape(SIDE, SIDE, 3)
    if noisy:
        some = np.asarray(seen.resize((SIDE, SIDE), Image.Resampling.BOX))
    perceived = Image.fromarray(some).convert("YCbCr")  # in which lightness and colour lie about as far apart as they seem
    labels = np.asarray(Image.merge("RGB", perceived.split()).quantize(COLOURS, Image.Quantize.MEDIANCUT, kmeans=2)).ravel()
    counts = np.bincount(labels)
    order = [i for i in counts.argsort()[::-1] if counts[i]]
    middles = {i: np.asarray(perceived).reshape(-1, 3)[labels == i].mean(0) for i in order}
    kept: dict[int, list[int]] = {}
    for i in order:
        into = next((j for j in kept if np.linalg.norm(middles[i] - middles[j]) < NEAR), i)
        kept.setdefault(into, []).append(i)
    groups = sorted((np.isin(labels, group) for group in kept.values()), key=lambda group: -group.sum())
    return np.array([group.mean() for group in groups]), np.array([some.reshape(-1, 3)[group].mean(0) / 255 for group in groups])


def _colourful(hls: np.ndarray) -> np.ndarray:
    """How far from grey colours are, (n,): what is nearly black or white has a saturation but shows no hue."""
    return np.asarray(hls[:, 2] * (1 - np.abs(2 * hls[:, 1] - 1)))


def _like(seen: Image.Image, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where the picture is more like one colour than like the other: bool (SIDE, SIDE)."""
    small = np.asarray(seen.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255
    return np.asarray(((small - one) ** 2).sum(-1) < ((small - other) ** 2).sum(-1))


def _walls(grounds: np.ndarray, share: np.ndarray) -> dict[str, float]:
    """A wallpaper of two colours (2, 3), as near to these as one ink for both and one saturation let it be."""
    hls = [colorsys.rgb_to_hls(*colour) for colour in grounds.tolist()]
    hues = [hls[1 - i][0] if _colourful(np.array([c]))[0] < GREY else c[0] for i, c in enumerate(hls)]
    pairs = [[_lit(*c, end) for c in hls] for end in (0.0, 1.0)]
    light, other = min(pairs, key=lambda pair: sum(abs(new - c[1]) for new, c in zip(pair, hls, strict=True)))
    light = light if abs(light - 0.5) > 0.04 else 0.46 if light < 0.5 else 0.54  # towards the middle is then the other way
    saturations = np.linspace(0, 1, 21).tolist()
    tried = np.array([[colorsys.hls_to_rgb(hue, c[1], s) for hue, c in zip(hues, hls, strict=True)] for s in saturations])
    best = saturations[int((np.abs(tried - grounds).sum(-1) @ share).argmin())]
    depth = other - light if light < 0.5 else light - other
    return {
        "wall_hue": hues[0], "wall_light": light, "wall_saturation": best,
        "wall_turn": (hues[1] - hues[0] + 0.5) % 1 - 0.5, "wall_depth": float(np.clip(depth, -0.5, 0.5)),
    }  # fmt: skip


def _lit(hue: float, light: float, saturation: float, end: float) -> float:
    """The lightness nearest to that of a colour, on the way to `end`, 0 or 1, at which black or white text can be read on it."""
    for way in np.linspace(0, 1, 51):
        nearest = float(light + way * (end - light))
        shown = luminance(np.array(colorsys.hls_to_rgb(hue, nearest, saturation)))
        if shown >= PALE if end else shown <= DEEP:
            break
    return float(np.clip(nearest, 0.05, 0.92))


class _Spectrum(NamedTuple):
    """spread: of lightness, grey levels; ways: shares of what varies down, across, and along the two diagonals; period: of the
    strongest wave, pixels; peak: its share; again: how like itself the picture is further down and further across, at best."""

    spread: float
    ways: tuple[float, ...]
    period: float
    peak: float
    again: tuple[float, float]


def _spectrum(grey: Image.Image) -> _Spectrum:
    """Of what a grey picture of at least TILE pixels a side shows all over: of each wave, what three in four of its parts have at least."""
    light = np.asarray(grey)
    tops, lefts = (np.linspace(0, length - TILE, TILES).astype(int) for length in light.shape)
    parts = np.stack([light[y : y + TILE, x : x + TILE] for y in tops for x in lefts]).astype(np.float32)
    parts = (parts - parts.mean((1, 2), keepdims=True)) * np.outer(_PART, _PART)
    power = np.percentile(np.abs(np.fft.fft2(parts)) ** 2, 25, axis=0) * _FINE
    whole = power.sum() + 1e-9
    v, u = np.unravel_index(int(power.argmax()), power.shape)
    strongest = np.minimum(np.hypot(_V - _V[v, u], _U - _U[v, u]), np.hypot(_V + _V[v, u], _U + _U[v, u])) < 2.3
    alike = np.fft.ifft2(power).real / whole * TILE**2
    return _Spectrum(
        float(np.sqrt(whole) / TILE / np.sqrt((np.outer(_PART, _PART) ** 2).sum())),
        tuple(float(power[way].sum() / whole) for way in _WAYS), float(TILE / max(np.hypot(_V[v, u], _U[v, u]), 1)),
        float(power[strongest].sum() / whole), (_comes_back(alike[:LAGS, 0]), _comes_back(alike[0, :LAGS])),
    )  # fmt: skip


def _comes_back(alike: np.ndarray) -> float:
    """The best likeness behind the first valley."""
    alike = alike / _FADED
    rising = np.flatnonzero(np.diff(alike) > 0)
    return float(alike[rising[0] :].max()) if len(rising) else 0.0


def _texture(light: Image.Image, coloured: bool) -> dict[str, float]:
    """What lightness shows the picture to be made of, and how strong that is; nothing where that is not clear. coloured: whether more than
    lightness tells its two main colours apart."""
    if min(light.size) < TILE or (found := _spectrum(light)).spread < FAINT:
        return {}
    down, across, *slants = found.ways
    straight, other = max(down, across), min(down, across)
    strong = found.spread / float(moved(np.asarray(light).mean(), DEPTH[Role.WALLPAPER]))
    if straight > 0.85 and found.peak > 0.5 and found.period < 6:
        name = "scan"
    elif other > 0.15 and down + across > 0.8 and min(found.again) > 0.75:
        name = "grid"
    elif max(slants) > 0.8 and found.period < 16 and strong < 2 * UNIT["hatch"] and not coloured:  # else it is a pattern
        name = "hatch"
    elif 0.45 < straight < 0.985 and straight > 5 * other and np.median(np.abs(_apart(light))) > 1:  # no lines of a ruler
        name = "streak"
    else:
        return {}
    return {name: float(np.clip(strong / UNIT[name], 0.4, 1))}


def _wallpaper(grey: Image.Image, lower: np.ndarray, dark: bool) -> str:
    """The wallpaper that a picture's lightness is most like; lower: where it shows its second colour, bool (SIDE, SIDE)."""
    found = _spectrum(grey.resize((2 * TILE, 2 * TILE), Image.Resampling.BOX))
    if found.spread > PLAINLY:
        if max(found.ways) < 0.5 and min(found.again) > 0.8:
            return "dots"
        repeats = (*found.again, min(found.again), min(found.again))[int(np.argmax(found.ways))]
        if max(found.ways) > 0.5 and repeats > 0.45 and found.period < TILE / 4:
            return "stripes"
    apart = np.abs(_apart(grey))
    if dark and found.spread > 0.5 and max(found.ways[:2]) < 0.25 and np.median(apart) <= 1 and 0.0002 < (apart > 25).mean() < 0.03:
        return "stars"
    small, broad = (np.asarray(grey.resize((side, side), Image.Resampling.BOX)) / 255 for side in (SIDE, BROAD))
    if broad.std() < PLAIN:
        return "gradient" if 0.1 < lower.mean() < 0.9 else "flat"  # its two colours are equally light
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    slope = (small * y).mean() / (y * y).mean() * y + (small * x).mean() / (x * x).mean() * x
    if (small - small.mean() - slope).std() < 0.4 * small.std():
        return "gradient"
    power = np.abs(np.fft.fft2(small - small.mean())) ** 2
    v, u = (int(i) for i in np.unravel_index(int(power[: SIDE // 2].argmax()), (SIDE // 2, SIDE)))
    near = (np.abs(np.abs(_V) - v) < 2) & (np.abs(_U) < 3)
    if 3 <= v <= 6 and min(u, SIDE - u) < 3 and power[near].sum() > 0.5 * power.sum():
        return "waves"
    if lower.mean(1).std() > 0.3 and max((lower == np.sort(lower, 0)[::way]).mean() for way in (1, -1)) > 0.9:
        return "hills"
    return "gradient"
