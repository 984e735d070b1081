"""Windows in dreams: they keep their looks while they move, come to the front, go and return; the book knows the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.desktop import bitmap
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Down, Event, Key, Move, Text, Up, Wheel
from engine.geometry import Rect
from engine.scene import find
from engine.theme import NEUTRAL, Role
from models.catalog import BUNDLED
from models.dreaming import taskbar
from models.dreaming.book import GROUND, Book, Subject
from models.dreaming.dream import Dream
from models.dreaming.hover import Hover
from models.dreaming.pictures import BELOW, RIGHT, reinked, stretched
from models.dreaming.planes import PLANES, SEEN, planes_of
from models.dreaming.recollection import Recollection
from models.dreaming.windows import POOL, Windows
from models.loading import load_bundled
from tests.as_one import as_one
from tests.test_dreaming import SIZE, Always, request, shown


def one_window() -> Desktop:
    desktop = Desktop(SIZE)
    desktop.handle(Ask(0.1, "notes"))
    for i, letter in enumerate("Milk and bread"):
        desktop.handle(Text(0.2 + i / 50, letter))
    desktop.advance(1.9)  # until it has its name
    return desktop


def two_windows() -> Desktop:
    desktop = one_window()
    desktop.handle(Ask(2.0, "calculator"))
    return desktop


def dragged(desktop: Desktop, path: str, dx: int, dy: int) -> list[Event]:
    x, y = find(desktop.widgets, path).rect.centre
    t = desktop.t
    return [Down(t + 0.1, "left", x, y), Move(t + 0.2, x + dx, y + dy), Up(t + 0.3, "left", x + dx, y + dy)]


def windows_alike(known: Recollection, desktop: Desktop) -> float:
    """Share of the pixels above the taskbar that are as the desktop shows them."""
    height = desktop.stack.area.h
    return float((known.planes[:3, :height] == planes_of(shown(desktop))[:3, :height]).all(0).float().mean())


def woken(desktop: Desktop, book: Book | None = None) -> Recollection:
    known = Recollection(SIZE, book or Book())
    known.begin(planes_of(shown(desktop)), desktop.features(), planes_of(shown(Desktop(SIZE))))
    return known


def test_windows_that_move_and_come_to_the_front_look_as_the_desktop_shows_them() -> None:
    """Every deed of the shell's, and nothing of it imagined: what is told of the windows is enough."""
    desktop = one_window()
    known = woken(desktop)
    desktop.handle(opened := Ask(2.0, "calculator"))
    known.turn(opened, desktop.features())
    known.show(planes_of(shown(desktop)))
    for events in (
        dragged(desktop, "Calculator/title", 90, 40), [Key(9.0, "m", ("alt",))], [Ask(10.0, "calculator")],
        [Key(11.0, "tab", ("alt",))], [Key(12.0, "left", ("alt",))], [Key(13.0, "w", ("ctrl",))], [Ask(14.0, "notes")],
    ):  # fmt: skip
        for event in events:
            desktop.handle(event)
            known.turn(event, desktop.features())
        assert windows_alike(known, desktop) > 0.985, events


def test_a_window_that_goes_from_behind_many_is_gone(book: Book) -> None:
    """Of however many, the context tells which are on the screen."""
    desktop = Desktop(SIZE)
    known = woken(desktop, book)
    button = "taskbar/Settings"
    events = [Ask(1.0 + i, name) for i, name in enumerate(("settings", "calculator", "notes", "snake", "files"))]
    for event in [*events, Down(9.0, "right", 0, 0), Up(9.1, "right", 0, 0), Key(9.2, "down"), Key(9.3, "enter")]:
        if isinstance(event, (Down, Up)):
            event = type(event)(event.t, event.button, *find(desktop.widgets, button).rect.centre)
        desktop.handle(event)
        known.turn(event, desktop.features())
    settings = desktop.stack.of("Settings")
    assert settings is not None and settings.minimised and settings is not desktop.stack.windows[-1]
    assert [window.rect for window in known._windows.shown] == [w.rect for w in reversed(desktop.stack.windows) if not w.minimised]
    assert windows_alike(known, desktop) > 0.98


def test_a_window_never_seen_looks_as_the_book_has_it(book: Book) -> None:
    desktop = Desktop(SIZE)
    known, blank = woken(desktop, book), woken(desktop)
    desktop.handle(event := Ask(1.0, "paint"))
    for one in (known, blank):
        one.turn(event, desktop.features(work=False))  # else it would be told what is in it
    assert windows_alike(known, desktop) > 0.99 > 0.97 > windows_alike(blank, desktop)
    x, y, w, h = desktop.stack.windows[-1].rect
    outer = known.planes[SEEN, y : y + h, x : x + w] > 0
    assert outer[0, 0] and outer[0, -1] and outer[-1, -1] and 0.02 < outer.float().mean() < 0.2, "a style may round it, and its buttons"


def test_what_a_dream_woke_with_leaves_the_desktop_where_it_stood(book: Book) -> None:
    """Nothing was ever seen beneath: the book says what lies there."""
    for events in ([Key(5.0, "w", ("ctrl",))], [Key(5.0, "m", ("alt",))], dragged(two_windows(), "Calculator/title", 120, 30)):
        desktop = two_windows()
        known, blank = Recollection(SIZE, book), Recollection(SIZE, Book())
        for one in (known, blank):
            one.begin(planes_of(shown(desktop)), desktop.features())
        for event in events:
            desktop.handle(event)
            for one in (known, blank):
                one.turn(event, desktop.features())
        assert windows_alike(known, desktop) > 0.98 and windows_alike(known, desktop) > windows_alike(blank, desktop), events


@pytest.mark.parametrize("size", [(512, 384), (320, 256)])
def test_buttons_in_the_taskbar_are_as_the_desktop_shows_them(book: Book, size: tuple[int, int]) -> None:
    """Whatever comes, goes, is minimised or in front; where there are many, they have no names."""
    desktop = Desktop(size)
    known = Recollection(size, book)
    known.begin(planes_of(shown(desktop)), desktop.features())
    for i, deed in enumerate(("notes", "calculator", "m", "paint", "snake", "tab", "w", "calculator", "files", "log", "settings", "w", "m", "w", "w")):
        event: Event = Key(2.0 + i, deed, ("ctrl",) if deed == "w" else ("alt",)) if len(deed) == 1 or deed == "tab" else Ask(2.0 + i, deed)
        desktop.handle(event)
        known.turn(event, desktop.features())
        strip, wanted = taskbar.strip(size, desktop.text_size).slices, planes_of(shown(desktop))
        apart = (known.planes[:, *strip].int() - wanted[:, *strip].int()).abs().amax(0)
        assert (apart > 40).float().mean() < 0.02, (deed, [w.name for w in desktop.stack.windows])


def test_buttons_of_an_older_book_have_no_names_but_the_right_places() -> None:
    desktop, known = Desktop(SIZE), Recollection(SIZE, Book())
    known.begin(planes_of(shown(desktop)), desktop.features())
    for event in (Ask(1.0, "notes"), Ask(2.0, "files"), Key(3.0, "m", ("alt",))):
        desktop.handle(event)
        known.turn(event, desktop.features())
        strip, wanted = taskbar.strip(SIZE, desktop.text_size).slices, planes_of(shown(desktop))
        assert (known.planes[:, *strip] != wanted[:, *strip]).any(0).float().mean() < 0.12


def test_whether_windows_were_laid_is_told(book: Book) -> None:
    desktop = one_window()
    known = woken(desktop, book)
    assert not known.turn(None, desktop.features()).laid
    desktop.handle(closed := Key(5.0, "w", ("ctrl",)))
    assert known.turn(closed, desktop.features()).laid and not known.turn(None, desktop.features()).laid


def test_an_event_reaches_where_it_lands() -> None:
    desktop = two_windows()
    known = woken(desktop)
    front, behind = desktop.stack.windows[-1].rect, desktop.stack.windows[0].rect
    clock, icon = (find(desktop.widgets, path).rect for path in ("taskbar/clock", "icons/Files"))

    def reached(event: Event | None, *pointers: tuple[int, int], spots: tuple[Rect, ...] = ()) -> list[bool]:
        cells = known.within_reach(event, pointers or ((0, 0),), spots)
        assert cells.shape == (SIZE[1] // 8, SIZE[0] // 8)
        places = front.centre, (behind.right - 12, behind.bottom - 12), icon.centre, clock.centre
        return [bool(cells[y // 8, x // 8]) for x, y in places]

    x, y = front.centre
    for event in (None, Key(3.0, "left"), Move(3.0, x, y)):
        assert reached(event, front.centre) == [True, False, False, False], event
    assert reached(Move(3.0, *icon.centre), icon.centre, front.centre) == [True, False, True, False]
    assert reached(Move(3.0, *clock.centre), clock.centre) == [False, False, False, True]
    assert reached(Text(3.0, "a"), spots=(Rect(x, y, 9, 16),)) == [True, False, False, False], "where the letter is put"
    for other in (Ask(3.0, "sing"), Down(3.0, "left", x, y), Up(3.0, "left", x, y), Wheel(3.0, 1)):
        assert reached(other, front.centre) == [False] * 4, other
    bare = Recollection(SIZE, Book())
    bare.begin(planes_of(shown(Desktop(SIZE))), Desktop(SIZE).features())
    assert bare.within_reach(Key(1.0, "a"), ((0, 0),))[10, 40]


def test_larger_text_is_laid_from_the_book() -> None:
    width, height = SIZE
    page = torch.full((height, width), int(Role.BAR), dtype=torch.uint8)
    known = Recollection(SIZE, Book({Subject(GROUND, 16): page}))
    desktop = Desktop(SIZE)
    known.begin(planes_of(shown(desktop)), desktop.features())
    desktop.prefer("text_size", 16)
    known.turn(None, desktop.features())
    above = desktop.stack.area.h
    assert (known.planes[:3, :above] == torch.from_numpy(NEUTRAL[Role.BAR]).view(3, 1, 1)).all()


def test_nothing_is_laid_anew_while_the_windows_stay() -> None:
    desktop = two_windows()
    windows = Windows(SIZE, Book())
    planes = planes_of(shown(desktop))
    windows.begin(planes, desktop.features())
    other = torch.zeros_like(planes)
    assert windows.laid(other, desktop.features()) is other


def test_a_copy_of_what_is_known_goes_on_the_same(book: Book) -> None:
    desktop = two_windows()
    known = woken(desktop, book)
    for event in [*dragged(desktop, "Calculator/title", 50, 10), Ask(8.0, "snake")]:
        desktop.handle(event)
        known.turn(event, desktop.features())
    copy = Recollection(SIZE, book)
    copy.restore(as_one(known, SIZE, 3))
    for event in (Ask(9.0, "notes"), Key(10.0, "w", ("ctrl",)), Ask(11.0, "snake")):
        desktop.handle(event)
        hands = [one.turn(event, desktop.features()) for one in (known, copy)]
        assert torch.equal(hands[0].codes, hands[1].codes)
    assert torch.equal(as_one(known, SIZE, 3), as_one(copy, SIZE, 3))


def test_pictures_of_windows_never_outgrow_their_room(book: Book) -> None:
    desktop = two_windows()
    windows, planes = Windows(SIZE, book), planes_of(shown(desktop))
    windows.begin(planes, desktop.features())
    for i in range(30):
        desktop.stack.windows[-1].rect = Rect(0, 0, 300 + 5 * i, 300)
        planes = windows.laid(planes, desktop.features())
    kept = [picture.numel() for _, picture in windows._panes]
    assert 2 < len(kept) < 30 and sum(kept) <= (POOL + 1) * PLANES * SIZE[0] * SIZE[1]
    assert as_one(windows, SIZE).shape == (Windows.PLANES_KEPT, SIZE[1], SIZE[0])


@given(w=st.integers(80, 300), h=st.integers(40, 200))
@settings(deadline=None, max_examples=20)
def test_a_stretched_picture_keeps_its_corners(w: int, h: int) -> None:
    picture = torch.randint(0, 255, (2, 90, 120), dtype=torch.uint8)
    out = stretched(picture, w, h, RIGHT, BELOW)
    assert out.shape == (2, h, w)
    assert torch.equal(out[:, -6:, -6:], picture[:, -6:, -6:])
    assert torch.equal(stretched(out, w, h, RIGHT, BELOW), out)
    if w >= 120 and h >= 90:
        assert torch.equal(out[:, :20, :20], picture[:, :20, :20])


def test_a_title_goes_idle_and_comes_back() -> None:
    paper, ink = (torch.from_numpy(NEUTRAL[role].astype(np.float32)).view(3, 1, 1) for role in (Role.TITLE, Role.TITLE_INK))
    share = torch.linspace(0, 1, 40).view(1, 1, 40)
    title = (paper + share * (ink - paper)).round().to(torch.uint8).expand(3, 4, 40).clone()
    title[:, 0, 0] = torch.from_numpy(NEUTRAL[Role.HOVER])  # a button under the pointer is neither
    front, behind = (Role.TITLE, Role.TITLE_INK), (Role.TITLE_IDLE, Role.TITLE_IDLE_INK)
    idle = reinked(title, front, behind)
    assert (idle[:, 1, 0] == torch.from_numpy(NEUTRAL[Role.TITLE_IDLE])).all()
    assert (idle[:, 1, -1] == torch.from_numpy(NEUTRAL[Role.TITLE_IDLE_INK])).all()
    assert torch.equal(idle[:, 0, 0], title[:, 0, 0])
    assert (reinked(idle, behind, front).int() - title.int()).abs().max() <= 3


def test_what_the_book_shows_is_round_and_raised_where_the_desktop_is(book: Book) -> None:
    desktop = Desktop(SIZE)
    known = woken(desktop, book)
    desktop.handle(asked := Ask(round(desktop.t + 1, 1), "calculator"))
    known.turn(asked, desktop.features())
    at = find(desktop.widgets, "Calculator").rect.slices
    forms, right = known.planes[SEEN:, *at], planes_of(shown(desktop))[SEEN:, *at]
    assert (right[0] > 0).sum() > 1000 and (forms == right).all(0).float().mean() > 0.97
    assert (forms[0] > 0)[right[0] > 0].float().mean() > 0.97
    silent = Book({Subject(app, 13): torch.zeros(40, 60, dtype=torch.uint8) for app in range(7)})
    planes = silent.planes(3, 13)
    assert planes is not None and not planes[SEEN:].any(), "a book from before, which has none, shows square corners"


def test_a_document_that_is_opened_says_what_is_in_it(book: Book) -> None:
    """The context tells of it; what was seen of it goes on while its window shows another."""
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    desktop = Desktop(SIZE, Documents({"Bread.md": "Flour and water", "Milk.md": "Two bottles\n" * 40, "Cow.png": bitmap.encode(picture)}))
    known = woken(desktop, book)
    for name, path in (("Bread.md", "Notes"), ("Milk.md", "Notes"), ("Cow.png", "Paint")):
        desktop.handle(asked := Ask(round(desktop.t + 1, 1), name))
        known.turn(asked, desktop.features())
        right, widget = planes_of(shown(desktop)), find(desktop.widgets, f"{path}/{'picture' if path == 'Paint' else 'text'}")
        for part in (
            find(desktop.widgets, f"{path}/title").rect.inset(20, 1, 70, 1), find(desktop.widgets, f"taskbar/{path}").rect.inset(22, 2, 4, 2),
            widget.rect.inset(3, 3, 3, 3),
        ):  # fmt: skip
            assert torch.equal(known.planes[:SEEN, *part.slices], right[:SEEN, *part.slices]), (name, part)
        assert windows_alike(known, desktop) > (0.99 if path == "Notes" else 0.97), "Paint's colours are coarse in the book"
        known.show(right)
    for event in (Key(5.0, "enter", ("alt",)), Key(6.0, "enter", ("alt",))):
        desktop.handle(event)
        known.turn(event, desktop.features())
        part = find(desktop.widgets, "Paint/picture").rect.slices
        assert torch.equal(known.planes[:SEEN, *part], planes_of(shown(desktop))[:SEEN, *part]), "in a window of any size"
    copy = Recollection(SIZE, book)
    copy.restore(as_one(known, SIZE, 3))
    for name in ("Bread.md", "Cow.png", "Milk.md"):
        desktop.handle(asked := Ask(round(desktop.t + 1, 1), name))
        for one in (known, copy):
            one.turn(asked, desktop.features())
            assert windows_alike(one, desktop) > 0.985, name


def test_a_caret_stays_where_it_is_when_its_text_is_set_anew() -> None:
    """In a window of another size, and in larger letters, for which the book has pages of their own."""
    desktop = Desktop(SIZE, Documents({"Milk.md": "Two bottles\n" * 40}))
    taught, dreamer = load_bundled(BUNDLED, "bundled").dreamer, Always(0, belief=-9.0)
    assert taught is not None
    dreamer.book = taught.book
    dream = Dream(dreamer, SIZE)
    dream.begin(request(desktop, guide=shown(desktop)))
    events = (
        Ask(1.0, "milk.md"), Key(1.5, "end", ("ctrl",)), Text(2.0, "x"), Key(2.5, "enter", ("alt",)), Text(3.0, "y"), Ask(3.5, "bigger text"), Text(4.0, "z"),
    )  # fmt: skip
    for event in events:
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        if event.t > 1:
            at = find(desktop.widgets, "Notes/text").rect.inset(6, 6, 150, 6).slices  # what a notice may cover is left out
            assert (dream.guide[0][at] == shown(desktop).pixels[at]).all(), event


def test_a_document_that_is_too_large_to_be_told_is_believed(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.desktop.features.LARGEST", 10)
    desktop = Desktop(SIZE, Documents({"Cow.png": bitmap.encode(bitmap.blank(320, 240))}))
    assert desktop.features().work == ()
    known = woken(desktop, book)
    desktop.handle(asked := Ask(1.0, "Cow.png"))
    assert [(work.name, work.content) for work in desktop.features().work] == [("Cow.png", None)]
    known.turn(asked, desktop.features())
    inside = known.planes[:, *find(desktop.widgets, "Paint/picture").rect.inset(2, 2, 2, 2).slices].flatten(1)
    assert (inside[SEEN - 1] == 255).all() and (inside[:SEEN] == inside[:SEEN, :1]).all(), "of one grey, as the book has it"


def test_a_note_that_gets_its_name_while_it_is_written_is_the_same_note(book: Book) -> None:
    desktop = Desktop(SIZE)
    known = woken(desktop, book)
    for event in (Ask(1.0, "notes"), *(Text(1.2 + i / 50, letter) for i, letter in enumerate("Milk and bread"))):
        desktop.handle(event)
        known.turn(event, desktop.features())
        known.show(planes_of(shown(desktop)))
    desktop.advance(4.0)
    known.turn(None, desktop.features())
    assert windows_alike(known, desktop) > 0.995 and "Milk and bread.md" in desktop.documents.contents
    desktop.handle(renamed := Key(5.0, "f2"))
    desktop.documents.rename("Milk and bread.md", "Cow.md")
    desktop.advance(5.2)
    known.turn(renamed, desktop.features())
    desktop.advance(5.4)
    known.turn(None, desktop.features())
    assert windows_alike(known, desktop) > 0.99


def test_an_app_that_is_opened_again_begins_anew_and_notes_goes_on(book: Book) -> None:
    desktop = one_window()
    known = woken(desktop, book)
    for event in (Ask(3.0, "calculator"), Key(4.0, "7"), Key(5.0, "w", ("ctrl",)), Ask(6.0, "calculator")):
        desktop.handle(event)
        known.turn(event, desktop.features())
        if event.t == 4.0:
            known.show(planes_of(shown(desktop)))
    assert windows_alike(known, desktop) > 0.99
    for event in (Key(7.0, "w", ("ctrl",)), Key(8.0, "w", ("ctrl",)), Ask(9.0, "notes")):
        desktop.handle(event)
        known.turn(event, desktop.features())
    assert windows_alike(known, desktop) > 0.99


def test_a_moving_pointer_lights_nothing_far_above_or_below_it() -> None:
    desktop = Desktop(SIZE)
    known = woken(desktop)
    desktop.handle(moved := Move(1.0, 300, 200))
    known.turn(moved, desktop.features())
    near = known.within_reach(moved, ((300, 200), (300, 200)))
    assert near[20:31].all() and not near[:20].any() and not near[31:].any()


def test_a_drag_reaches_the_window_it_began_in_and_no_other() -> None:
    desktop = two_windows()
    known = woken(desktop)
    front, bare = desktop.stack.windows[-1].rect, find(desktop.widgets, "icons/Files").rect.centre
    over = front.centre
    for begun, reaches in ((over, True), (bare, False)):
        known.turn(Down(desktop.t + 1, "left", *begun), desktop.features())
        near = known.within_reach(moved := Move(desktop.t + 1.1, *over), (over, begun))
        assert near[over[1] // 8, over[0] // 8] == reaches and not near[bare[1] // 8, bare[0] // 8]
        known.turn(Up(desktop.t + 1.2, "left", *over), desktop.features())
        assert known.within_reach(moved, (over, over))[over[1] // 8, over[0] // 8]


def test_what_the_pointer_lit_goes_out_when_it_leaves() -> None:
    bare, hover = torch.zeros(PLANES, 64, 96, dtype=torch.uint8), Hover()
    lit, more = bare.clone(), bare.clone()
    lit[:3, 16:24, 16:40], more[:3, 16:28, 16:40] = 90, 120
    hover.lit(bare, lit)
    hover.lit(lit, more)
    assert hover.left(more, 20, 20) is more, "it is still there"
    other = more.clone()
    other[:3, 16:18] = 7
    gone = hover.left(other, 80, 50)
    assert (gone[:3, 16:18] == 7).all() and not gone[:3, 18:].any(), "what was not painted over since"
    assert hover.left(gone, 0, 0) is gone
