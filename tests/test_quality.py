"""The evaluation judges as it says: the guide is all right, nothing painted is all wrong, who knows all dreams well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.easel import Easel, source_of
from benchmarks.pictures_compared import damaged, ssim
from benchmarks.quality_contrast import app_screens, contrast_scores, contrasts
from benchmarks.quality_sessions import (
    dreamt_persistency,
    dreamt_sessions,
    guided_persistency,
    guided_session,
)
from benchmarks.quality_styles import is_flat, style_scores
from benchmarks.quality_text import typed_scores
from benchmarks.sampling_steps import by_style, off_texture, painted
from benchmarks.transition_kinds import KINDS
from benchmarks.transitions import Judged, judge, scenes, score
from engine.desktop.desktop import Desktop
from engine.events import Event, Key
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import (
    ContextFeatures,
    GuidePainter,
    Painter,
    PainterInfo,
    PainterSpec,
    Painting,
    PaintRequest,
    Patch,
    put_into,
)
from engine.styles import PRESETS
from models.catalog import BUNDLED
from models.likeness import psnr
from models.loading import load_bundled
from models.pipeline import PixelOSPipeline
from models.synthetic.sessions import User
from models.training.heldout import held_out

SIZE = (512, 384)
GUIDE = PainterSpec(checkpoint="guide")
DREAM = PainterSpec(mode="dream")
SEED = 5


def quiet(line: str) -> None:
    """Nobody is told."""


class Seer:
    """Paints what it is let to see of the desktop, all of it at every request; keeps the requests."""

    def __init__(self, mode: str, see: Callable[[Desktop, Seer], np.ndarray | None]) -> None:
        self.info = PainterInfo("seer", "bundled", "", mode, "cpu", "uint8", 1, 8)
        self.desktop = Desktop()
        self.requests: list[PaintRequest] = []
        self._see = see

    def paint(self, request: PaintRequest) -> Painting:
        self.requests.append(request)
        pixels = self._see(self.desktop, self)
        patches = () if pixels is None else (Patch(Rect(0, 0, *SIZE), pixels),)
        return Painting(request.seq, patches, "painted")

    def latents(self, out: np.ndarray | None = None) -> np.ndarray:
        return put_into(out, np.zeros(1, np.uint8))

    def restore(self, latents: np.ndarray | None) -> None:
        """It sees: nothing has to be remembered."""

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def seer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Seer]:
    """Makes painters that know the desktop whose features were asked for last: the one that is being painted."""

    def make(see: Callable[[Desktop, Seer], np.ndarray | None], mode: str = "dream") -> Seer:
        painter, features = Seer(mode, see), Desktop.features

        def noted(desktop: Desktop, *given: object) -> ContextFeatures:
            painter.desktop = desktop
            return features(desktop, *given)  # type: ignore[arg-type]

        monkeypatch.setattr(Desktop, "features", noted)
        return painter

    return make


def truth(desktop: Desktop, seer: Seer) -> np.ndarray:
    return source_of("bundled", desktop.items, desktop.style, SIZE)


def first_frame_only(desktop: Desktop, seer: Seer) -> np.ndarray | None:
    """The frame that the scene begins with, and nothing after it."""
    return truth(desktop, seer) if len(seer.requests) == 1 else None


def bare(desktop: Desktop, seer: Seer) -> np.ndarray:
    """The desktop as if no window were open."""
    return source_of("bundled", Desktop(SIZE, state={"t": desktop.t}).items, desktop.style, SIZE)


@pytest.fixture(scope="module")
def guided() -> dict[str, Judged | None]:
    """Every kind once, painted by the guide painter."""
    painter = GuidePainter(GUIDE)
    return {scene.kind: judge(painter, scene, rng) for scene, rng in scenes(SIZE, SEED, 1)}


def test_there_are_at_least_seventy_kinds(guided: dict[str, Judged | None]) -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 70
    assert list(guided) == [kind.name for kind in KINDS]  # every one of them could be played


def test_every_kind_changes_pixels(guided: dict[str, Judged | None]) -> None:
    restyled = "style asked for"  # the guide has one look for all styles; the source has not
    assert [kind for kind, outcome in guided.items() if outcome is None and kind != restyled] == []
    ((scene, _),) = scenes(SIZE, SEED, 1, [kind for kind in KINDS if kind.name == restyled])
    desktop = scene.before()
    before = source_of("bundled", desktop.items, desktop.style, SIZE)
    desktop.handle(scene.act)
    assert damaged(before, source_of("bundled", desktop.items, desktop.style, SIZE)).all()


def test_the_guide_painter_is_right_every_time(guided: dict[str, Judged | None]) -> None:
    seen = [outcome for outcome in guided.values() if outcome]
    assert len(seen) >= 70
    scores = score([(outcome.kind, outcome.right, outcome.rivals) for outcome in seen])
    assert (scores["accuracy"], scores["wrong"]) == (1.0, [])
    assert all(outcome.own == 0 and outcome.where.any() for outcome in seen)


@pytest.mark.parametrize("mode", ["guided", "dream"])
def test_who_paints_nothing_is_right_never(mode: str, seer: Callable[..., Seer]) -> None:
    for see in (lambda desktop, seer: None, first_frame_only):
        outcomes = []
        for scene, rng in scenes(SIZE, SEED, 1, KINDS[:: 12 if mode == "guided" else 40]):
            outcomes.append(judge(seer(see, mode), scene, rng))
        assert outcomes and not any(outcome and outcome.right for outcome in outcomes)


def test_who_sees_the_desktop_dreams_right_among_eight_others(seer: Callable[..., Seer]) -> None:
    for scene, rng in scenes(SIZE, SEED, 1, KINDS[4::12]):
        painter = seer(truth)
        outcome = judge(painter, scene, rng)
        assert outcome is not None and outcome.right, scene.kind
        assert outcome.rivals == 9, scene.kind
        first, *dreamt = painter.requests
        assert first.guide is not None and dreamt
        assert all(r.guide is None and r.verbatim is None and r.damage == (Rect(0, 0, *SIZE),) for r in dreamt)
        events = [event for request in dreamt for event in request.events]
        assert events == [event for event in (*scene.lead, scene.act) if event.type != "wait"]


def test_another_state_than_the_one_reached_is_wrong(seer: Callable[..., Seer]) -> None:
    """A painter that always types the letter q is near to the typed letter, and nearer to its own."""

    def types_q(desktop: Desktop, seer: Seer) -> np.ndarray:
        request = seer.requests[-1]
        if not request.events or getattr(request.events[0], "text", "") == "":
            return truth(desktop, seer)
        copy = Desktop(SIZE, type(desktop.documents)(desktop.documents.contents), state=desktop.state())
        for key in ("backspace", "q"):
            copy.handle(Key(copy.t, key))
        return truth(copy, seer)

    ((scene, rng),) = scenes(SIZE, SEED, 1, KINDS[:1])
    assert scene.kind == "letter typed" and getattr(scene.act, "text", "q") != "q"
    outcome = judge(seer(types_q), scene, rng)
    assert outcome is not None and not outcome.right


def test_scenes_are_those_of_their_seed() -> None:
    def told(seed: int) -> list[object]:
        return [(s.kind, s.setting.state, s.lead, s.act) for s, _ in scenes(SIZE, seed, 2, KINDS[3:60:19])]

    assert told(1) == told(1) != told(2)


def test_psnr_and_ssim() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)
    off = (a // 2).astype(np.uint8)
    assert (psnr(a, a), round(ssim(a, a), 6)) == (99.0, 1.0)
    assert round(psnr(np.zeros_like(a), np.full_like(a, 255)), 6) == 0
    assert ssim(a, off) < 0.98 and ssim(a, 255 - a) < 0
    # one window, by the paper's own formula
    x, y = (p[:11, :11] @ np.array([0.299, 0.587, 0.114]) for p in (a, off))
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weight = np.outer(line, line) / np.outer(line, line).sum()
    mx, my = (weight * x).sum(), (weight * y).sum()
    vx, vy, both = ((weight * (p - mp) * (q - mq)).sum() for p, mp, q, mq in ((x, mx, x, mx), (y, my, y, my), (x, mx, y, my)))
    c1, c2 = 2.55**2, 7.65**2
    expected = (2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim(a[:11, :11], off[:11, :11]) == pytest.approx(expected, abs=1e-4)


def test_styles_apart_by_texture(seer: Callable[..., Seer]) -> None:
    assert is_flat(PRESETS["terminal"]) and not is_flat(PRESETS["ocean"])
    assert not is_flat(replace(PRESETS["terminal"], wallpaper="hills"))
    painter: Painter = seer(truth)
    scores = style_scores(painter, DREAM, ("terminal", "ocean"), 1, np.random.default_rng(1), quiet)
    assert scores["pictures"]["flat"]["styles"] == ["terminal"] and scores["pictures"]["textured"]["styles"] == ["ocean"]
    assert scores["style"]["ocean"]["psnr_db"] == 99 and scores["style"]["ocean"]["own"] == 0 < scores["style"]["ocean"]["other"]


def test_contrast_is_of_the_ink_against_the_paper_that_it_stands_on() -> None:
    for desktop in app_screens(SIZE, "light", np.random.default_rng(1)):
        guide = Guide(SIZE)
        guide.update(desktop.items)
        covered = guide.ink[..., None] / 255
        for ink, paper, expected in ((0, 255, 21.0), (255, 0, 21.0), (118, 255, 4.54), (0, 0, 1.0)):
            shades = np.array([ink, paper]) * np.ones((1, 3, 2))
            frame = (shades[..., 0] * covered + shades[..., 1] * (1 - covered)).round().astype(np.uint8)
            found = [of_run for _, of_run in contrasts(frame, guide)]
            assert len(found) > 8 and np.median(found) == pytest.approx(expected, abs=0.01) and max(found) <= expected + 0.01


def test_text_that_fades_in_one_style_shows_as_its_contrast(seer: Callable[..., Seer]) -> None:
    def faded(desktop: Desktop, seer: Seer) -> np.ndarray:
        frame = truth(desktop, seer)
        return frame // 3 + 150 if desktop.style_words == "paper" else frame

    scores = contrast_scores(seer(faded, "guided"), GUIDE, ("light", "paper"), quiet)
    light, paper = (scores["by_style"][style] for style in ("light", "paper"))
    assert light["least"] >= 4.5 > scores["least"] == paper["least"] and light["below"] == 0 < paper["below"] <= paper["runs"]
    assert light["runs"] > 200


def test_whoever_clicks_another_style_is_scored_in_the_one_that_was_asked_for(seer: Callable[..., Seer], monkeypatch: pytest.MonkeyPatch) -> None:
    def act(user: User) -> list[Event]:
        user.desktop.prefer("style", "forest")
        return []

    monkeypatch.setattr(User, "act", act)
    scores = style_scores(seer(truth, "guided"), GUIDE, ("terminal", "ocean"), 1, np.random.default_rng(1), quiet)
    assert all(score["psnr_db"] == 99 and score["own"] == 0 < score["other"] for score in scores["style"].values())


def test_a_guided_session_of_the_guide_neither_drifts_nor_touches() -> None:
    painter = GuidePainter(GUIDE)
    scores = guided_session(painter, GUIDE, 14, np.random.default_rng(2), quiet)
    assert scores["untouched"] == {"pixels": 0}
    drift = scores["drift"]
    assert drift["steps"] == [10, 14] and set(drift["psnr_db"]) == {99.0} == set(drift["psnr_to_source_db"])
    kept = guided_persistency(painter, GUIDE, 30, np.random.default_rng(2), quiet)
    assert (kept["share"], kept["frames"]) == (1.0, 60)
    assert kept["by_kind"] == {kind: {"share": 1.0, "at_the_end": True, "frames": 30} for kind in ("picture", "window")}


def test_dreamt_sessions_of_who_sees(seer: Callable[..., Seer]) -> None:
    painter = seer(truth)
    scores = dreamt_sessions(painter, DREAM, 3, 2, np.random.default_rng(2), quiet)
    assert scores["untouched"] == {"pixels": 0, "share": 0.0}
    assert scores["drift"]["sessions"] == 2 and scores["drift"]["by_session"] == [[99.0], [99.0]]
    assert scores["drift"]["psnr_db"] == scores["drift"]["psnr_to_source_db"] == [99.0]
    assert scores["drift"]["seconds"][0] >= 3


def test_what_was_put_in_is_still_there_or_is_not(seer: Callable[..., Seer]) -> None:
    for see, share in ((truth, 1.0), (bare, 0.0)):
        scores = dreamt_persistency(seer(see), DREAM, 2, np.random.default_rng(3), quiet)
        assert (scores["share"], set(scores["by_kind"])) == (share, {"picture", "window"})


def test_a_window_that_is_gone_is_missed_though_the_picture_stays(seer: Callable[..., Seer]) -> None:
    """Guided, too; and what harms the picture is noticed."""

    def no_windows(desktop: Desktop, seer: Seer) -> np.ndarray:
        """But for Paint's, where the picture is."""
        return truth(desktop, seer) if "Paint" in {window.name for window in desktop.stack.windows} else bare(desktop, seer)

    def a_pixel_off(desktop: Desktop, seer: Seer) -> np.ndarray:
        return truth(desktop, seer) ^ 1

    for see, picture, window in ((truth, 1.0, 1.0), (no_windows, 1.0, 0.0), (a_pixel_off, 0.0, 1.0)):
        scores = guided_persistency(seer(see, "guided"), GUIDE, 3, np.random.default_rng(3), quiet)["by_kind"]
        assert (scores["picture"]["share"], scores["window"]["share"]) == (picture, window), see


def test_letters_typed_in_a_dream_are_read_back(seer: Callable[..., Seer], ocr: object) -> None:
    for see, right in ((truth, True), (first_frame_only, False)):
        scores = typed_scores(seer(see), DREAM, ("light",), 30, np.random.default_rng(4), quiet)
        assert scores["characters"] == scores["by_style"]["light"]["characters"] >= 28
        assert (scores["cer"] < 0.1) is right


def test_a_dream_paints_the_ticks_that_change_something(seer: Callable[..., Seer]) -> None:
    painter = seer(truth)
    ((scene, _),) = scenes(SIZE, SEED, 1, [kind for kind in KINDS if kind.name == "snake moves"])
    easel = Easel(painter, scene.before())
    easel.paint()
    easel.wait(easel.desktop.t + 1)
    ticks = painter.requests[1:]
    assert len(ticks) >= 4 and all(not request.events for request in ticks)
    assert (easel.frame == easel.source()).all()


def test_more_sampling_steps_are_not_worse() -> None:
    checkpoint, shots = load_bundled(BUNDLED, "bundled"), held_out()[::3]
    pipeline = PixelOSPipeline(checkpoint.denoiser, checkpoint.context_encoder)
    frames = {steps: painted(pipeline, shots, steps) for steps in (1, 4)}
    one, four = (by_style(of, shots) for of in frames.values())
    assert one != four and list(one) == [shot.name for shot in shots]
    assert np.mean([*four.values()]) > np.mean([*one.values()]) - 0.02  # dB
    assert off_texture(frames[4], shots) <= off_texture(frames[1], shots) + 0.01 < 0.3, "textures come with their paints, in one step"
    grey = {shot.name: np.full_like(shot.frame, 128) for shot in shots}
    assert off_texture(grey, shots) > 10
