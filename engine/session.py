"""The session: one step from events to a frame. Start reading here.

Events go into the journal and to the desktop. The desktop says what is to be seen (the guide) and what changed (the
damage). The damage is posted to the painter's mailbox with the context; what the painter has finished since is taken
into the frame, and its text is checked. Nothing here waits for the painter: while there is none, the guide is shown
and the frame's label says so.

In dream mode the painter gets the guide once, at the start (and when the look changes, where it cannot paint its dream anew
by itself); from there on it answers the events alone, and the desktop only keeps what was typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import monotonic, perf_counter

import numpy as np

from engine.desktop.desktop import Desktop
from engine.desktop.looks import told_of
from engine.events import Event
from engine.freed import Freed
from engine.geometry import Rect, merge
from engine.guide import Guide
from engine.keeping import Keeper
from engine.mailbox import Mailbox
from engine.painter import Painting, PaintRequest, Words
from engine.telling import added, told
from engine.text_check import Checker
from engine.turner import Turner

ABSENT = ("starting", "restarting", "gave up", "closed", "away")  # mailbox states in which nobody paints


@dataclass(frozen=True)
class Frame:
    """What is shown after a step.

    pixels: uint8 (H, W, 3), a read-only view of the session's own frame; changed: pixels that may differ from the
    frame before; damage: what this step's events damaged, grown by the painter's reach; source: painted, cached,
    skipped or guide; ms: stages of the latest painting and of this step.
    """

    pixels: np.ndarray
    changed: tuple[Rect, ...]
    damage: tuple[Rect, ...]
    source: str
    ms: dict[str, float]
    repaired_glyphs: int
    label: str


@dataclass
class Statistics:
    """For the HUD: how many paints came from where, the last stages, the last damage."""

    painted: int = 0
    cached: int = 0
    skipped: int = 0
    guide: int = 0
    repaired: int = 0
    ms: dict[str, float] = field(default_factory=dict)
    damage: tuple[Rect, ...] = ()
    latencies: list[float] = field(default_factory=list)  # ms from step to composited patch, newest last
    looked_up: int = 0  # patches that the painter looked for in its frame cache
    found: int = 0
    needed: int = 0  # patches that had been painted ahead


class Session:
    """Holds the desktop, the guide and the frame; the painter is behind the mailbox, the disk behind the keeper.

    live: whether paints and their timings are told to the desktop's log (never in a replay). watched: whether anybody can see
    the frame; while nobody can, damage gathers and nothing is painted.
    """

    def __init__(
        self, desktop: Desktop, mailbox: Mailbox, keeper: Keeper | None = None, *, repair: bool = True, live: bool = False
    ) -> None:
        width, height = desktop.size
        self.desktop = desktop
        self.mailbox = mailbox
        self.keeper = keeper
        self.guide = Guide(desktop.size)
        self.statistics = Statistics()
        self.watched = True
        self._state = mailbox.status.state  # as of the last step
        self._unpainted: tuple[Rect, ...] = ()  # damage that nobody was there to see
        self._repair = repair
        self._live = live
        self._bounds = Rect(0, 0, width, height)
        self._frame = np.empty((height, width, 3), np.uint8)
        self._frame[:] = self.guide.pixels
        self._look: tuple[bytes, dict[str, float]] = b"", {}
        self._waking = True  # a dream begins from one frame that was painted with the guide
        self._seq = 0
        self._posted: dict[int, tuple[float, tuple[Rect, ...]]] = {}  # seq -> when, damage; not answered yet
        self._unsent: tuple[Event, ...] = ()
        self._told: tuple[str, ...] = ()  # what the unsent events did, in words
        self._unchecked: list[Rect] = []
        self._checker = Checker()
        self._freed = Freed()
        self.turner = Turner(desktop, mailbox)
        self._dreamt = 0  # step of the strip that a dream goes on from
        self._left: np.ndarray | None = None  # what was dreamt last by who was let go: the next dream goes on from it
        self._dreaming, self._goes_on = False, False  # as of the last step; whether who comes was shown what was left

    def begin(self) -> None:
        """Keep the state the session starts from, so that its events can be played again on top of it."""
        if self.keeper:
            self.keeper.begin(self)

    def step(self, events: Sequence[Event], t: float) -> Frame:
        """Take events in, up to session time `t` in seconds; show what is painted. Never waits for a child process.

        Raises InputError for an event that names a widget that is not there; nothing was changed by it then.
        """
        begun = perf_counter()
        missed = self._hold_dream()
        self.turner.learn()
        if events and self.mailbox.prompted:
            self._told = added(self._told, told(events, self.desktop.widgets, self.desktop.router.pointer))
        for event in events:
            self.desktop.handle(event)
            if self.keeper:
                self.keeper.record(event)
        self.desktop.advance(t)
        damage = self._damage(bool(events) or missed)
        desktop_ms = (perf_counter() - begun) * 1e3
        self._unsent += tuple(events)
        self._have_painted(damage)
        if self.mailbox.wants_trial():
            self.mailbox.try_out(self._trial())
        state, self._state = self._state, self.mailbox.status.state
        left = self._state == "away" != state  # for long: a screen of two looks would be left
        shown = self._show_guide((self._bounds,) if left else damage) if self._state in ABSENT or not self._someone_paints() else ()
        strip = self.desktop.turning.strip.pictures.keys()
        known = len(strip)
        paintings = self.turner.taken(self.mailbox.collect())
        changed, repaired, check_ms = self._composite(paintings)
        if self.keeper:
            self.keeper.keep(self, at_once=len(strip) > known)
        source = self._source(paintings, bool(shown), bool(damage))
        ms = {"desktop": desktop_ms, "check": check_ms, **(paintings[-1].ms if paintings else {})}
        ms["total"] = (perf_counter() - begun) * 1e3
        self._count(paintings, source, ms, damage, repaired)
        if events and not damage:
            self.statistics.skipped += 1
        if self._live and not events and not damage:
            self._freed.give_back()
        view = self._frame.view()
        view.flags.writeable = False
        frame = Frame(view, merge((*shown, *changed)), damage, source, ms, repaired, self.label)
        asked = self.turner.advance(self._frame, not self._posted, self._seq + 1)
        self._seq += asked
        return _both(frame, self.step((), t)) if asked or len(strip) > known else frame

    def settle(self, timeout: float) -> Frame:
        """Wait until everything posted is painted, at most `timeout` seconds; the frame then."""
        until = monotonic() + timeout
        frame = self.step((), self.desktop.t)
        latest = frame
        while self.waiting and monotonic() < until and self.mailbox.status.state not in ("gave up", "closed", "away"):
            self.mailbox.wait(min(0.05, until - monotonic()))
            frame = self.step((), self.desktop.t)
            latest = frame if frame.source != "skipped" else latest
        return latest

    @property
    def pixels(self) -> np.ndarray:
        """The frame as it is: uint8 (H, W, 3), to be read only."""
        return self._frame

    @property
    def waiting(self) -> bool:
        """Whether something is still to be painted."""
        return bool(self._posted) or not self._someone_paints() or self.turner.busy

    @property
    def awaited(self) -> tuple[int, ...]:
        """The requests that are not answered yet, oldest first."""
        return tuple(self._posted)

    @property
    def label(self) -> str:
        """Who paints, in plain words."""
        info, status = self.mailbox.info, self.mailbox.status
        if info is not None and info.family == "guide":
            return "guide: the desktop's own plain drawing, no model"
        if status.state in ABSENT or info is None:
            why = f": {status.why}" if status.why else ""
            return f"guide shown, painter {status.state}{why}"
        return f"{info.mode} · {info.name}" + (f" · {status.why}" if status.why else "")

    def close(self) -> None:
        """Keep everything, then end the painter."""
        if self.keeper:
            self.keeper.close(self)
        self.mailbox.close()

    def _someone_paints(self) -> bool:
        return self.mailbox.info is not None

    def _dreams(self) -> bool:
        return self.mailbox.info is not None and self.mailbox.info.mode == "dream"

    def _hold_dream(self) -> bool:
        """Keep the frame of a dream whose painter was let go, until another goes on from it; whether something is still to be dreamt
        then that happened meanwhile. Who gave the card back wakes from the guide."""
        missed = False
        if self._someone_paints() or self.mailbox.status.state == "away":
            if self._goes_on:
                self.mailbox.needs_full()  # which would wake it
                missed = bool(self._unsent)
            self._left, self._goes_on = None, False
        elif self._dreaming:
            self._left = self._frame.copy()
        self._dreaming = self._dreams() and not self._waking
        return missed

    def _damage(self, happened: bool) -> tuple[Rect, ...]:
        """What changed on the screen: the guide's damage grown by the painter's reach, or everything."""
        damage, info = self.guide.update(self.desktop.items), self.mailbox.info
        look = self.desktop.style.vector().tobytes(), self.desktop.loras
        full = info is not None and self.mailbox.needs_full()
        other_look, self._look = look != self._look, look
        shown, dreams = self.desktop.turning.shown, info is not None and info.mode == "dream"
        if full or other_look or (shown != self._dreamt and dreams):
            carried_on = other_look and info is not None and info.imagines and not full and shown == self._dreamt
            self._waking, self._dreamt = self._waking or not carried_on, shown
            self._left, self._goes_on = None, False
            return (self._bounds,)
        if dreams:  # nobody knows what an event changes before it is painted
            return (self._bounds,) if happened or damage else ()
        reach = info.reach if info else 0
        return merge(rect.grow(reach).snap().meet(self._bounds) for rect in damage)

    def _have_painted(self, damage: tuple[Rect, ...]) -> None:
        """Post it, with what was not seen before; where nobody paints yet, whoever will begins with the whole frame."""
        unpainted = merge((*self._unpainted, *damage)) if self._unpainted else damage
        self._unpainted = unpainted if self._someone_paints() and not self.watched else ()
        if unpainted and self._someone_paints() and self.watched:
            self._post(unpainted)

    def _post(self, damage: tuple[Rect, ...]) -> None:
        request = self._request(damage, self._unsent, self._words() if self.mailbox.prompted else Words(), shown=not self._dreams() or self._waking)
        self._unsent, self._told = (), ()
        self._posted[self._seq] = perf_counter(), damage
        self.mailbox.post(request)

    def _trial(self) -> PaintRequest:
        """The whole frame as it is now, for a painter that is to show that it can paint. A dream goes on: it is shown what was
        dreamt, as a picture, and not the guide."""
        dreamt = self._frame.copy() if self._dreams() and not self._waking else self._left
        self._goes_on = self._left is not None
        return self._request((self._bounds,), (), self._words(), shown=True, dreamt=dreamt)

    def _request(self, damage: tuple[Rect, ...], events: tuple[Event, ...], words: Words, shown: bool, dreamt: np.ndarray | None = None) -> PaintRequest:
        """The next one. shown: whether the guide goes with it; dreamt: a frame that a dream is to go on from instead."""
        self._seq += 1
        guide, router = self.guide, self.desktop.router
        pixels, verbatim, forms = (guide.pixels, guide.verbatim, guide.forms) if shown else (None, None, None)
        turning = self.desktop.turning
        if dreamt is None and shown and turning.shown and self._dreams():
            dreamt = turning.strip.pixels(turning.shown, self.desktop.size)
        if dreamt is not None:  # a dream begins with the picture alone
            pixels = dreamt
            verbatim, forms = np.full_like(guide.verbatim, 255), np.zeros_like(guide.forms)
        weights = tuple(self.desktop.loras.items())
        context = self.desktop.features(work=self._dreams())
        return PaintRequest(
            self._seq, events, damage, pixels, verbatim, context, router.pointer, router.buttons, forms, words, weights
        )

    def _words(self) -> Words:
        """For a painter that is told in words."""
        return Words(told_of(self.desktop.style_words, self.desktop.documents), self._told, " ".join(self.desktop.context.describe()))

    def _show_guide(self, damage: tuple[Rect, ...]) -> tuple[Rect, ...]:
        for rect in damage:
            self._frame[rect.slices] = self.guide.pixels[rect.slices]
        return damage

    def _composite(self, paintings: Sequence[Painting]) -> tuple[list[Rect], int, float]:
        """Take patches into the frame and check their text; returns what changed, repairs, milliseconds."""
        begun = perf_counter()
        changed: list[Rect] = []
        for painting in paintings:
            for patch in painting.patches:
                self._frame[patch.rect.slices] = patch.pixels
                changed.append(patch.rect)
            for seq in [seq for seq in self._posted if seq <= painting.seq]:
                posted_at, _ = self._posted.pop(seq)
                self.statistics.latencies = [*self.statistics.latencies[-199:], (begun - posted_at) * 1e3]
        said = self.desktop.notice and not self.mailbox.prompted  # a prompted painter goes on from whatever is there
        popup = not self.desktop.turning.shown and bool(self.desktop.menu or self.desktop.ask_bar or said)  # a dream that woke with one would never lose it
        self._waking = self._waking and (popup or bool(self._posted or not paintings))
        checked, repaired = self._check(changed)
        return [*changed, *checked], repaired, (perf_counter() - begun) * 1e3

    def _check(self, painted: Sequence[Rect]) -> tuple[list[Rect], int]:
        """Check the text in what was painted; returns where, and the number of glyphs repaired.

        Where a newer request is out, the frame need not show the guide of now: that part is checked later.
        """
        info = self.mailbox.info
        if info is None or info.mode == "dream" or info.family == "guide":
            return [], 0
        out = [*self._unpainted, *(rect for _, damage in self._posted.values() for rect in damage)]
        rects = {*self._unchecked, *painted}
        self._unchecked = [rect for rect in rects if any(rect.meet(other) for other in out)]
        now = sorted(rects - {*self._unchecked})
        if not now:
            return [], 0
        return now, self._checker.check(self._frame, now, self.guide, self.desktop.style.paints(self.desktop.size), self._repair).repaired

    def _source(self, paintings: Sequence[Painting], guide_shown: bool, damaged: bool) -> str:
        if paintings:
            sources = {painting.source for painting in paintings}
            return next(s for s in ("painted", "cached", "guide", "skipped") if s in sources)
        return "guide" if guide_shown else "skipped"

    def _count(
        self, paintings: Sequence[Painting], source: str, ms: dict[str, float], damage: tuple[Rect, ...], repaired: int
    ) -> None:
        numbers = self.statistics
        for painting in paintings:
            setattr(numbers, painting.source, getattr(numbers, painting.source) + 1)
            numbers.looked_up += painting.lookups[0]
            numbers.found += painting.lookups[1]
            numbers.needed += painting.needed
            if self._live:
                took = sum(painting.ms.values())
                self.desktop.note("paint", f"{painting.source}, {took:.0f} ms")
        numbers.repaired += repaired
        numbers.damage = damage or numbers.damage
        if paintings:
            numbers.ms = ms


def _both(first: Frame, then: Frame) -> Frame:
    """One step that needed two: the later frame, with what either changed."""
    source = then.source if then.source != "skipped" else first.source
    damage, changed = merge((*first.damage, *then.damage)), merge((*first.changed, *then.changed))
    return replace(then, damage=damage, changed=changed, source=source, repaired_glyphs=first.repaired_glyphs + then.repaired_glyphs)
