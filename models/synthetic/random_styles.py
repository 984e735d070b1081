"""Random styles: what a painter is to know of the space of looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.style_words import MATERIALS
from engine.styles import PRESETS, Style
from engine.theme import ROUNDS
from engine.wallpaper import KINDS, SEEDS


def random_style(rng: np.random.Generator) -> Style:
    """A style drawn from the whole space; half of them are presets, slightly moved."""
    if rng.random() < 0.5:
        base = list(PRESETS.values())[rng.integers(len(PRESETS))]
        if rng.random() < 0.5:
            return base
        turn = float(rng.normal(0, 0.04))
        return replace(
            base, hue=base.hue + turn, accent=base.accent + turn, wall_hue=base.wall_hue + turn,
            radius=float(np.clip(base.radius + rng.normal(0, 1.5), 0, ROUNDS)),
            shadow=float(np.clip(base.shadow + rng.normal(0, 0.15), 0, 1)), seed=int(rng.integers(SEEDS)),
        )  # fmt: skip
    dark = bool(rng.random() < 0.5)
    hue = float(rng.random())
    made_of = {name: float(rng.uniform(0.2, 1.0)) for name in MATERIALS if rng.random() < 0.2}
    return Style(
        dark=dark, hue=hue, saturation=float(rng.random() ** 1.5 * 0.7),
        accent=hue if rng.random() < 0.5 else float(rng.random()), vivid=float(rng.uniform(0.15, 0.95)),
        wall_hue=hue if rng.random() < 0.5 else float(rng.random()), wall_saturation=float(rng.random() * 0.7),
        wall_light=float(rng.uniform(0.05, 0.34) if dark else rng.uniform(0.55, 0.86)),
        wallpaper=KINDS[rng.integers(len(KINDS))], radius=float(rng.uniform(0, ROUNDS)),
        shadow=float(rng.random()), gloss=float(rng.random()), wall_turn=float(rng.normal(0, 0.1)),
        wall_depth=float(rng.uniform(-0.25, 0.3)), seed=int(rng.integers(SEEDS)), edge=float(rng.random() ** 2),
        border=float(rng.choice([1, 1, 2, 3])), centred=float(rng.random() < 0.4), left=float(rng.random() < 0.3),
        **made_of,  # type: ignore[arg-type]
    )  # fmt: skip
