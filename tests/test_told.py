"""What a guide's forms tell the denoiser beside corners, how one that was told less is grown, and what that counts in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engine.forms import CAST, ROLE, SHINES, SIDE, nearness
from engine.painter import PainterSpec
from engine.theme import NEUTRAL, Role
from models.catalog import open_painter
from models.denoiser import PATCH, Denoiser, unpack
from models.inputs import to_latents
from models.loading import save_bundled
from models.relief import TOLD, kinds_of, raised, roles_of, seen_of, told_maps
from models.synthetic.shots import Crop, desktop_shots
from models.training.networks import grow, networks_from
from models.training.objective import _guided_weights, _told
from tests.checkpoints import tiny_networks
from tests.test_models import made_of
from tests.test_painters import SIZE, ask, drawn, empty, show


def test_the_denoiser_is_told_where_shadows_fall_and_how_near_what_throws_them_is_what_shines_and_what_is_drawn() -> None:
    guide = drawn(4)
    given = torch.from_numpy(guide.forms)[None]
    told = told_maps(seen_of(to_latents(guide.pixels[None]), given, made_of(1).build))
    assert told.shape == (1, TOLD, SIZE[1] // PATCH, SIZE[0] // PATCH)
    cast, shines, over, *near = unpack(told)[0].numpy()
    forms, own = guide.forms.astype(int), guide.forms[..., 3] & ROLE
    assert (cast == ((forms[..., 3] & CAST) > 0)).all() and 0 < cast.mean() < 1
    assert np.allclose(shines * SHINES, np.where(forms[..., 0] > 0, 0, forms[..., 1]), atol=1e-3) and shines.max() == 1
    flat = forms[..., 0] == 0
    falls = np.stack([flat, own == 1 + Role.WALLPAPER], -1)  # a glow on nothing else
    assert np.allclose(np.stack(near, -1), nearness()[SIDE, forms[..., 2] * flat] * falls / 255) and all(0.01 < (plane > 0).mean() < 0.5 for plane in near)
    assert (cast[flat] >= (near[0] > 0)[flat]).all() and (cast[flat] >= (near[1] > 0)[flat]).all()
    bare = (guide.pixels == NEUTRAL[own.clip(1) - 1]).all(-1)
    assert not over[bare | (own == 0)].any() and over[(guide.ink > 128) & (own > 0)].all() and (guide.ink > 128).sum() > 100


def test_one_that_was_told_less_paints_as_before_once_grown_but_in_shadows_and_along_menus_edges(tmp_path: Path) -> None:
    denoiser, encoder = tiny_networks()
    less = Denoiser(**{**dict(denoiser.config), "shadows": 1, "edges": 2})
    grow(less, denoiser)
    for layer in (less.shadow_in.weight, less.relief.out.weight, less.relief.from_kind.weight):
        torch.nn.init.normal_(layer, std=0.5)
    save_bundled(tmp_path / "before", less, encoder, torch.float32)
    grown = networks_from(tmp_path / "before")
    assert grown.denoiser.config.shadows == 3 and grown.denoiser.config.edges == 5
    save_bundled(tmp_path / "grown", grown.denoiser, grown.encoder, torch.float32)
    guide = drawn(4)
    before, after = (
        show(open_painter(PainterSpec(str(tmp_path / name), size=SIZE, threads=1, device="cpu")), empty(), ask(guide)).astype(int) for name in ("before", "grown")
    )
    cells = (guide.forms[..., 3] & CAST > 0).reshape(SIZE[1] // PATCH, PATCH, SIZE[0] // PATCH, PATCH)
    shadows = np.kron(cells.any((1, 3)), np.ones((PATCH, PATCH), bool))
    roles, kinds = roles_of(to_latents(guide.pixels[None])), kinds_of(torch.from_numpy(guide.forms[None, ..., 3]))
    menus = (raised(roles, kinds) & (roles == Role.SURFACE))[0].numpy()
    apart = np.abs(before - after).max(-1)
    assert apart[~shadows & ~menus].max() <= 1 and all(apart[part].max() > 1 for part in (shadows, menus))
    assert shadows.mean() < 0.5


def test_marks_and_what_stands_beside_edges_count_ninefold_letters_threefold_and_grounds_once() -> None:
    shot = next(shot for shot in desktop_shots(np.random.default_rng(4), 12) if shot.guided and not shot.verbatim.any())
    crops = [Crop(shot, x, y, 64) for x in range(0, shot.size[0] - 63, 64) for y in range(0, shot.size[1] - 63, 64)]
    guide = np.stack([crop.take(shot.guide) for crop in crops])
    weights = _guided_weights(crops, to_latents(guide))
    ink, special = (np.stack([crop.take(plane) for crop in crops]) for plane in (shot.ink, shot.shaped | shot.shadowed))
    assert set(np.unique(weights)) == {1.0, 3.0, 9.0}
    roles = roles_of(to_latents(guide)).numpy()
    letters, marks = (roles == Role.INK) & (ink > 200) & ~special, np.isin(roles, (Role.TITLE_INK, Role.TITLE_IDLE_INK)) & (ink == 0)
    assert (weights[letters] == 3).all() and (weights[marks] == 9).all() and min(letters.sum(), marks.sum()) > 20
    assert (weights[roles == Role.BORDER] == 9).mean() > 0.9
    grounds = np.isin(roles, (Role.FIELD, Role.SURFACE))
    assert (weights[grounds & ~special] == 1).all() and (grounds & ~special).mean() > 0.1


def test_a_crop_that_is_not_told_knows_nothing_but_where_shadows_fall() -> None:
    forms = torch.full((2, 8, 8, 4), 255, dtype=torch.uint8)
    told = _told(forms, torch.tensor([False, True]))
    assert torch.equal(told[0], forms[0]) and not told[1, ..., :3].any() and (told[1, ..., 3] == CAST).all()
