"""Dreams: what is typed is set where it belongs, what was covered comes back, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.easel import Easel
from engine.context import RECENT_SIZE, SLOW_SIZE
from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.errors import InputError
from engine.events import Ask, Down, Event, Key, Move, Text
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import ContextFeatures, PainterSpec, PaintRequest
from engine.scene import find
from engine.theme import NEUTRAL, Role
from models.catalog import BUNDLED, open_painter
from models.datasets.states import state_of
from models.dreaming.book import Book
from models.dreaming.codes import BOOK, COLOURS, NOWHERE, PICTURE, codes_of
from models.dreaming.dream import Dream
from models.dreaming.dreamer import CELL, COPIES, MAPS, PICKS, PIXELS, Dreamer, by_cell
from models.dreaming.letters import carets, typed
from models.dreaming.planes import PLANES, SEEN, moved, planes_of
from models.loading import load_bundled, save_bundled
from models.synthetic import prose
from models.synthetic.errands import Errands
from models.training import dream_book, dream_looks, heldout
from models.training import dreams as training_dreams
from models.training.dream_batch import SIDE, dream_batch, dream_crop
from models.training.dream_looks import DreamLooks
from models.training.dream_objective import dream_loss
from models.training.dreams import FAR, Moment, dreams
from models.training.loop import TrainConfig, train
from tests.as_one import as_one
from tests.checkpoints import tiny_checkpoint, tiny_networks

SIZE = (512, 384)


def tiny_dreamer(seed: int = 0) -> Dreamer:
    torch.manual_seed(seed)
    return Dreamer(widths=(8, 16, 16), mix=4, pen=8).eval().requires_grad_(False)


class Always(Dreamer):
    """Lets every cell show one of the pictures at hand, and puts letters at one pen."""

    def __init__(self, picture: int, pen: tuple[int, int] = (0, 0), belief: float = 9.0) -> None:
        super().__init__(widths=(8, 16, 16), mix=4, pen=8)
        self.picture, self.pen, self.belief = picture, pen, belief

    def forward(self, codes: Tensor, maps: Tensor, tokens: Tensor, alike: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
        cells = by_cell(codes).shape[1:3]
        return torch.full((1, *cells), self.belief), torch.zeros(1, *cells, 8)

    def picks(self, cells: Tensor, codes: Tensor) -> Tensor:
        logits = torch.zeros(len(cells), PIXELS, PICKS)
        logits[..., COLOURS] = 1.0
        logits[..., COLOURS + self.picture] = 2.0 - 2.0 * (codes[:, self.picture] == NOWHERE)
        return logits

    def pens(self, codes: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        h, w = by_cell(codes).shape[1:3]
        cell, pixel = torch.zeros(1, h, w), torch.zeros(1, h, w, PIXELS)
        cell[0, self.pen[1] // 8, self.pen[0] // 8] = 1.0
        pixel[..., self.pen[1] % 8 * 8 + self.pen[0] % 8] = 1.0
        return cell, pixel


def shown(desktop: Desktop) -> Guide:
    guide = Guide(desktop.size)
    guide.update(desktop.items)
    return guide


def request(desktop: Desktop, events: tuple[Event, ...] = (), guide: Guide | None = None) -> PaintRequest:
    assert desktop.items, "it is drawn before anybody is asked to paint it"
    given = (guide.pixels, guide.verbatim, guide.forms) if guide else (None,) * 3
    return PaintRequest(1, events, (), given[0], given[1], desktop.features(), desktop.router.pointer, desktop.router.buttons, given[2])


def caret(desktop: Desktop) -> tuple[int, int]:
    """Where the next letter goes."""
    x, y, *_ = state_of(desktop, desktop.style).hidden["caret"]
    return x + 1, y


def notes() -> Desktop:
    desktop = Desktop(SIZE)
    desktop.handle(Ask(0.1, "notes"))
    return desktop


NOTES = notes()
NOTES_PLANES = planes_of(shown(NOTES))


def test_every_role_has_a_code_of_its_own_and_every_code_stands_for_itself() -> None:
    pixels = torch.from_numpy(BOOK.T.copy()).view(3, 1, -1)
    found = codes_of(pixels, torch.zeros(1, COLOURS))[0].numpy()
    assert found[: len(NEUTRAL)].tolist() == list(range(len(NEUTRAL))) and (BOOK[: len(NEUTRAL)] == NEUTRAL).all()
    assert np.abs(BOOK[found].astype(int) - BOOK).max() <= 8, "two mixtures may be as good as one another"
    assert (codes_of(pixels, torch.ones(1, COLOURS)) == PICTURE).all()


def test_a_typed_letter_is_guessed_as_the_desktop_sets_it() -> None:
    """Letter by letter, over several lines. A word that goes to the next line may be a pixel away, or broken elsewhere."""
    desktop, last, whole, wrapped, lines = notes(), "", 0, 0, 0
    text = prose.english(np.random.default_rng(3), 200)
    after = planes_of(shown(desktop))
    for letter in text:
        before, pen = after, caret(desktop)
        desktop.handle(Text(round(desktop.t + 0.1, 3), letter))
        guess = typed(before, letter, 13, pen, last)
        at = find(desktop.widgets, "Notes/text").rect.inset(3, 3, 14, 3).slices
        after = planes_of(shown(desktop))
        wrong = int((guess.planes[:SEEN] != after[:SEEN]).any(0)[at].sum())
        newline = caret(desktop)[1] > pen[1]
        assert newline or guess.behind == caret(desktop)
        near = abs(guess.behind[0] - caret(desktop)[0]) <= 1 and guess.behind[1] == caret(desktop)[1]
        whole, wrapped, lines, last = whole + (wrong <= 2), wrapped + (newline and near), lines + newline, letter
    assert lines >= 3 and wrapped > lines / 2
    assert whole >= 0.95 * (len(text) - lines)


@settings(max_examples=150, deadline=None)
@given(st.integers(-30, 540), st.integers(-30, 410), st.sampled_from("aWj. Å_"), st.sampled_from(["", "f", "m"]), st.sampled_from([11, 20]))
def test_a_guess_can_be_made_wherever_the_pen_is(x: int, y: int, letter: str, last: str, text_size: int) -> None:
    """A dreamer that errs must not bring anything down: the guess is a picture, or none."""
    planes = NOTES_PLANES.clone()
    guess = typed(planes, letter, text_size, (x, y), last)
    assert guess.planes.shape == planes.shape and torch.equal(planes, NOTES_PLANES)
    assert all(Rect(0, 0, *SIZE).covers(spot) for spot in guess.spots)


def test_a_caret_is_told_from_all_else_that_is_upright() -> None:
    desktop = notes()
    planes = planes_of(shown(desktop))
    assert carets(codes_of(planes[:3], planes[3]).numpy()) == [caret(desktop)]
    bare = planes_of(shown(Desktop(SIZE)))
    assert carets(codes_of(bare[:3], bare[3]).numpy()) == []
    codes = np.zeros((60, 80), np.uint8)
    for x, y in ((30, 10), (0, 30), (78, 40)):
        codes[y : y + 17, x : x + 2] = Role.ACCENT
    codes[5:50, 60] = codes[1:18, 50:53] = codes[20:25, 40:42] = Role.ACCENT  # too thin, too wide, too short
    assert sorted(carets(codes)) == [(1, 30), (31, 10), (79, 40)]


def test_moving_leaves_what_nothing_came_to() -> None:
    planes = torch.arange(PLANES * 8 * 8, dtype=torch.uint8).view(PLANES, 8, 8)
    out = moved(planes, 2, -3)
    assert torch.equal(out[:, :5, 2:], planes[:, 3:, :6]) and torch.equal(out[:, 5:], planes[:, 5:])


def test_a_dream_goes_on_from_the_guide_it_woke_from() -> None:
    desktop = notes()
    dream = Dream(Always(0), SIZE)
    dream.begin(request(desktop, guide=shown(desktop)))
    assert dream.answer(request(desktop, (Key(0.5, "f5"),))) == (), "the last guide's own pixels are picked: nothing changes"
    assert (dream.guide[0] == shown(desktop).pixels).all()


def test_a_letter_comes_whole_and_the_next_one_behind_it() -> None:
    desktop = notes()
    guide, pen = shown(desktop), caret(desktop)
    dream = Dream(Always(COPIES - 1, pen), SIZE)
    dream.begin(request(desktop, guide=guide))
    for letter in "Hello":
        desktop.handle(Text(round(desktop.t + 0.1, 3), letter))
        dream.answer(request(desktop, (Text(desktop.t, letter),)))
    at = find(desktop.widgets, "Notes/text").rect.inset(3, 3, 14, 3).slices
    assert (dream.guide[0][at] == shown(desktop).pixels[at]).mean() > 0.999


def test_what_was_covered_is_put_back_and_a_copy_of_a_dream_goes_on_the_same() -> None:
    bare, covered = Desktop(SIZE), notes()
    dreamer = Always(0)
    dream = Dream(dreamer, SIZE)
    dream.begin(request(bare, guide=shown(bare)))
    dream._known.show(planes_of(shown(covered)))  # as if a menu had been dreamt
    other = Dream(dreamer, SIZE)
    other.restore(as_one(dream, SIZE, 3))
    dreamer.picture = 1  # latest
    for one in (dream, other):
        assert one.answer(request(bare, (Key(0.5, "escape"),))) or one is dream, "which was not asked since"
        assert (one.guide[0] == shown(bare).pixels).all()
    assert torch.equal(as_one(dream, SIZE, 3), as_one(other, SIZE, 3))


def test_nothing_unknown_can_be_picked() -> None:
    logits = tiny_dreamer().picks(torch.randn(1, 8), torch.full((1, COPIES, PIXELS), NOWHERE, dtype=torch.uint8))
    assert (logits[..., COLOURS:] < -20).all() and (logits[..., :COLOURS] > -20).all()


@pytest.fixture(scope="module")
def dreaming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint that has a dreamer."""
    folder = tmp_path_factory.mktemp("dreaming")
    save_bundled(folder, *tiny_networks(), torch.float16, tiny_dreamer())
    return folder


def test_a_dream_paints_what_it_changed_and_the_same_again(dreaming: Path) -> None:
    spec = PainterSpec(str(dreaming), mode="dream", size=(256, 192), device="cpu", threads=1)
    frames = []
    for _ in range(2):
        painter, desktop = open_painter(spec), Desktop((256, 192))
        easel = Easel(painter, desktop)
        easel.paint()
        easel.feed(Ask(0.5, "calculator"))
        half = painter.latents()
        for event in (Text(0.9, "7"), Key(1.2, "escape"), Key(1.5, "m", ("alt",))):
            easel.feed(event)
        frames.append(easel.frame.copy())
    assert (frames[0] == frames[1]).all()
    painter.restore(half)
    assert (painter.latents() == half).all()


def test_a_dreamer_is_a_component_that_need_not_be_there(dreaming: Path, tmp_path: Path) -> None:
    assert load_bundled(dreaming, "x").dreamer is not None
    assert load_bundled(tiny_checkpoint(tmp_path), "x").dreamer is None
    assert load_bundled(dreaming, "x").sha256 != load_bundled(tmp_path, "x").sha256


def test_errands_reach_every_app_and_never_aim_at_what_is_not_there() -> None:
    rng = np.random.default_rng(1)
    seen, kinds = set(), set()
    for _ in range(6):
        desktop = Desktop(SIZE, Documents({"One.md": "one two three\n" * 9, "Two.txt": "word"}))
        errands = Errands(rng, desktop)
        for _ in range(25):
            for event in errands.next():
                assert event.t >= desktop.t
                desktop.handle(event)
                kinds.add(event.type)
            seen |= {window.name for window in desktop.stack.windows}
    assert seen == set(APPS) and kinds >= {"ask", "text", "key", "move", "down", "up", "wheel", "wait"}


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    found: list[Moment] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_dreams, "MOMENTS", 10)
        for seed in (5, 9, 15):
            found += dreams(np.random.default_rng(seed), Book())
    return found


def test_a_moment_says_which_pictures_show_what_is_to_come(moments: list[Moment], monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum((moment.changed & (moment.weight > FAR)).any() for moment in moments) > 0.3 * len(moments)
    for moment in moments:
        for i, codes in enumerate(moment.codes):
            same = (moment.same >> i & 1).bool()
            assert (codes[same] == moment.target[same]).all()
        stays = by_cell((moment.same & 1)[None, None])[0, :, :, 0].bool().all(-1)
        assert (stays.numpy() == ~moment.changed).all()
    monkeypatch.setattr(training_dreams, "MOMENTS", 6)
    again = dreams(np.random.default_rng(5), Book())
    assert len(again) == 6 and all(torch.equal(a.target, b.target) for a, b in zip(again, moments, strict=False))


def test_what_follows_by_rule_is_not_asked_for(moments: list[Moment]) -> None:
    """Least of all letters in texts that are told; and what is told counts nothing."""
    letters = [moment for moment in moments if moment.pen]
    assert len(letters) < 0.1 * len(moments)
    for moment in letters:
        x, y = moment.pen or (0, 0)
        assert not moment.weight[(y + 8) // CELL, x // CELL]
    assert all(moment.weight.any() for moment in moments) and any((moment.weight == 0).any() for moment in moments)


def test_a_dreamer_learns(moments: list[Moment]) -> None:
    """The loss of the same crops falls, and no gradient is missing."""
    rng = np.random.default_rng(0)
    letters = [replace(moment, pen=(x, y)) for moment, x, y in zip(moments[:6], range(60, 120, 10), range(40, 100, 10), strict=True)]
    batch = dream_batch([dream_crop(moment, rng) for moment in (*moments[10:16], *letters)], rng)
    assert batch.codes.shape == (12, COPIES, SIDE, SIDE) and (batch.pen >= 0).any()
    dreamer = tiny_dreamer().train().requires_grad_(True)
    optimiser = torch.optim.AdamW(dreamer.parameters(), lr=3e-3)
    losses = []
    for _ in range(24):
        loss = dream_loss(dreamer, batch, torch.Generator().manual_seed(0))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    assert all(p.grad is not None for p in dreamer.parameters())


def test_looking_says_what_was_learned(moments: list[Moment], tmp_path: Path) -> None:
    looks = DreamLooks(tmp_path, lambda rng: moments[:16])
    networks: Any = type("Networks", (), {"dreamer": tiny_dreamer()})
    shares = looks.look(networks, 7)["shares"]
    assert set(shares) == {"found", "meant", "pixels", "painted", "pens"} and all(0 <= s <= 1 for s in shares.values())
    assert (tmp_path / "sheet_000007.png").is_file()


def test_a_run_teaches_the_dreamer_and_leaves_the_painter_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heldout, "PRESETS", {"light": heldout.PRESETS["light"]})
    monkeypatch.setattr(dream_book, "OPENED", 1)
    monkeypatch.setattr(dream_book, "TEXT_SIZES", (13,))
    monkeypatch.setattr(dream_looks, "SESSIONS", 1)
    monkeypatch.setattr(training_dreams, "MOMENTS", 2)
    monkeypatch.setattr(dream_looks, "CROPS", 12)
    start = tiny_checkpoint(tmp_path / "start")
    config = TrainConfig(tmp_path / "run", part="dreamer", init=start, crops=2, pool=2, updates=2, save_every=1)
    said: list[str] = []
    made = load_bundled(train(config, said.append), "made")
    before = load_bundled(start, "start")
    assert made.dreamer is not None and made.dreamer.book and before.dreamer is None
    for old, new in zip(before.denoiser.parameters(), made.denoiser.parameters(), strict=True):
        assert torch.equal(old, new)
    assert "held-out moments" in said[-1]
    longer = load_bundled(train(replace(config, resume=True, updates=3), said.append), "longer")
    assert longer.sha256 != made.sha256


def test_a_dreamer_is_not_taught_from_nothing_or_from_what_has_no_guide(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--init bundled"):
        train(TrainConfig(tmp_path / "a", part="dreamer", updates=1))
    assert not (tmp_path / "a" / "book.safetensors").exists(), "nothing is learned first"
    with pytest.raises(InputError, match="synthetic"):
        train(TrainConfig(tmp_path / "b", part="dreamer", init=BUNDLED, data="screens", updates=1))
    with pytest.raises(InputError, match="painter or dreamer"):
        train(TrainConfig(tmp_path / "c", part="window", updates=1))


def test_the_bundled_checkpoint_dreams_what_is_typed() -> None:
    """Twenty letters in a row, each in the dream's own frame before it: what is read there is what was typed."""
    desktop = notes()
    painter = open_painter(PainterSpec(mode="dream", device="cpu", threads=1))
    easel = Easel(painter, desktop)
    easel.paint()
    for letter in "a quiet lake at noon":
        easel.feed(Text(round(desktop.t + 0.15, 3), letter))
    at = find(desktop.widgets, "Notes/text").rect.inset(3, 3, 14, 3).slices
    source = easel.source()
    plain = Easel(painter, notes()).source()
    inked = (np.abs(source[at].astype(int) - plain[at]) > 60).any(-1)
    near = (np.abs(source[at].astype(int) - easel.frame[at]) < 60).all(-1)
    assert inked.sum() > 300 and near[inked].mean() > 0.9


def test_a_dream_without_events_is_a_tick() -> None:
    dreamer = tiny_dreamer()
    dream = Dream(dreamer, (256, 192))
    empty = ContextFeatures(np.zeros(SLOW_SIZE, np.float32), np.zeros(RECENT_SIZE, np.float32))
    guide = np.full((192, 256, 3), 128, np.uint8)
    dream.begin(PaintRequest(0, (), (), guide, None, empty))
    dream.answer(PaintRequest(1, (), (), None, None, empty))
    assert dream.guide[0].shape == (192, 256, 3)


@pytest.mark.parametrize(
    ("belief", "changes"),
    [(1.0, {"tick", "move", "shortcut"}), (3.0, {"tick", "move", "shortcut", "key"}), (5.0, {"tick", "move", "shortcut", "key", "press"})],
)
def test_more_is_asked_for_by_a_key_and_most_where_an_event_hardly_reaches(belief: float, changes: set[str]) -> None:
    desktop = Desktop(SIZE)
    events: dict[str, tuple[Event, ...]] = {
        "tick": (), "move": (Move(1.0, 300, 200),), "shortcut": (Key(1.0, "n", ("ctrl",)),), "key": (Key(1.0, "down"),),
        "press": (Down(1.0, "left", 300, 200),), "letter": (Text(1.0, "a"),),
    }  # fmt: skip
    for name, happened in events.items():
        dream = Dream(Always(1, belief=belief), SIZE)
        dream.begin(request(desktop, guide=shown(desktop)))
        dream._known._places.ground(dream._known.bounds, torch.zeros(PLANES, *reversed(SIZE), dtype=torch.uint8))
        dream._known._places.replace(dream._known.bounds, torch.full((PLANES, *reversed(SIZE)), 9, dtype=torch.uint8), dream._known.planes)
        before = dream.guide[0].copy()
        dream.answer(request(desktop, happened))
        part = (slice(100, 200), slice(0, 80) if name == "tick" else slice(200, 300))  # where time alone may change something
        assert bool((dream.guide[0][part] != before[part]).any()) == (name in changes), name


def test_time_alone_changes_nothing_behind_the_window_in_front() -> None:
    desktop = Desktop(SIZE)
    for t, name in ((1.0, "calculator"), (1.1, "snake")):
        desktop.handle(Ask(t, name))
    dream = Dream(Always(1, belief=9.0), SIZE)
    dream.begin(request(desktop, guide=shown(desktop)))
    before = dream.guide[0].copy()
    dream._known._places.replace(dream._known.bounds, torch.full((PLANES, *reversed(SIZE)), 9, dtype=torch.uint8), dream._known.planes)
    dream.answer(request(desktop))
    apart = (dream.guide[0] != before).any(-1)
    front = desktop.stack.windows[-1].rect.snap().meet(Rect(0, 0, *SIZE))
    assert apart[front.slices].any()
    apart[front.slices] = False
    assert not apart.any()


def test_pictures_that_are_the_same_are_looked_at_once() -> None:
    torch.manual_seed(0)
    dreamer = Dreamer(widths=(8, 16, 16), mix=4, pen=8).eval()
    codes = torch.randint(0, COLOURS, (1, COPIES, 32, 64), dtype=torch.uint8)
    codes[:, 3] = codes[:, 4] = codes[:, 0]
    maps, tokens = torch.randn(1, MAPS, 4, 8), torch.randn(1, dreamer.encoder.tokens, 64)
    with torch.inference_mode():
        each, once = dreamer(codes, maps, tokens), dreamer(codes, maps, tokens, [3, 4])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(each, once, strict=True))
