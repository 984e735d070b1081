"""What checkpoints there are, how each is, and choosing one while the session runs.

What headers tell is read in the background, before anybody asks; a choice goes to the mailbox, and once it paints into the
journal, so that the next start comes back with it. The last frame of each is kept as a small picture in the profile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import numpy as np
from PIL import Image

from engine.checkpoint_notes import CheckpointNotes
from engine.checkpoints import CheckpointFacts
from engine.desktop.clock import TICKS
from engine.durable import replace_file
from engine.errors import PixelOSError
from engine.painter import PainterSpec
from engine.session import Session
from engine.swap import Swap
from engine.swap_mailbox import SwapMailbox
from ui.wardrobe import ON, Wardrobe, wears

THUMBNAIL = (160, 120)  # pixels
KEPT_SHA = 16  # hexadecimal digits of a checkpoint's hash in a file's name
TIGHT_S = 2.0  # how often it is seen whether memory has become short
CHOICE_S = 0.5  # and whether Settings offer checkpoints
LEISURE_S = 10.0  # without input, until a process is begun that is kept in reserve: it takes a core while it takes its libraries in


@dataclass(frozen=True)
class Memory:
    """On the painter's device, in megabytes. free_mb: what nobody has; tight: whether who is kept ready should go; ample: whether a
    process may be kept in reserve."""

    free_mb: float
    tight: bool = False
    where: str = "memory"
    ample: bool = False


@dataclass(frozen=True)
class Card:
    """One checkpoint, or a LoRA for the one that paints, as the picker shows it. state: "painting", "on", "away", "kept ready", "starting", "loading 40 %", "first frame", "refused", or "";
    share: how much of it was read; why: what keeps it from painting; picture: uint8 (h, w, 3) of its last frame; gave_up: what it
    does since memory ran out, with the plan that it paints by in its facts; lora: whether it is one."""

    facts: CheckpointFacts
    state: str
    share: float | None = None
    why: str = ""
    picture: np.ndarray | None = None
    gave_up: tuple[str, ...] = ()
    lora: bool = False


class Gallery:
    """Used by the window's thread. read: facts of all checkpoints, slowly; memory: what is free now, quickly; spec_of: what
    to open for a name; pictures: the folder for the last frames; notes: what is kept of each."""

    def __init__(
        self, session: Session, mailbox: SwapMailbox, read: Callable[[], Sequence[CheckpointFacts]], memory: Callable[[], Memory],
        spec_of: Callable[[str], PainterSpec], pictures: Path, notes: CheckpointNotes,
    ) -> None:  # fmt: skip
        self._session, self._mailbox = session, mailbox
        self._read, self._memory, self._spec_of, self._pictures = read, memory, spec_of, pictures
        self._facts: dict[str, CheckpointFacts] = {}
        self._reading: threading.Thread | None = None
        self._read_for: tuple[tuple[str, ...], tuple[tuple[str, str], ...]] = (), ()
        self._refused: dict[str, str] = {}
        self._shown: dict[str, np.ndarray | None] = {}
        self._notes, self.wardrobe = notes, Wardrobe(mailbox.spec, notes)
        self._weights = session.desktop.loras
        self._gave_up: tuple[str, ...] = ()  # by who paints, as far as it was told
        self._wish = self._preference()
        self._told = mailbox.latest
        self._to_keep = False
        self._due = False  # a picture is to be kept
        self._looked, self.memory = -TIGHT_S, Memory(0.0)
        self._offering, self._listed = False, -CHOICE_S

    def cards(self) -> list[Card]:
        """In the order in which they are offered."""
        return [self._card(name) for name in self.names()]

    def names(self) -> list[str]:
        """Checkpoints, then the LoRAs that are offered for the one that paints."""
        now = self._mailbox.spec.checkpoint
        offered = list(self._session.desktop.checkpoints)
        return [*(offered if now in offered else [now, *offered]), *self._loras()]

    def _loras(self) -> dict[str, str]:
        return self.wardrobe.rows(self._mailbox.spec)

    @property
    def painting(self) -> str:
        """Who paints."""
        return self._mailbox.spec.checkpoint

    @property
    def busy(self) -> bool:
        """Whether something here changes by itself."""
        latest = self._mailbox.latest
        reading = self._reading is not None and self._reading.is_alive()
        return reading or (latest is not None and latest.under_way)

    def needs_mb(self, spec: PainterSpec) -> float | None:
        """What a checkpoint takes while it paints; None where that is not known yet."""
        known = self._facts.get(spec.checkpoint)
        return known.needs_mb if known is not None and not known.why else None

    def choose(self, name: str) -> None:
        """Have it paint, or put it on the checkpoint that paints, or take it off; answers at once where it is known that it cannot."""
        if (path := self._loras().get(name)) is not None:
            self._wear(name, path)
            return
        self._refused.pop(name, None)
        known = self._facts.get(name)
        if known is not None and known.why:
            self._refuse(name, known.why)
            return
        self.remember()
        self._mailbox.swap(self.wardrobe.spec_of(name, self._spec_of))

    def _wear(self, row: str, path: str) -> None:
        """Whatever is on its way with the same checkpoint counts: two that are put on in a row are both on."""
        latest, spec = self._mailbox.latest, self._mailbox.spec
        if latest is not None and latest.under_way and latest.spec.checkpoint == spec.checkpoint:
            spec = latest.spec
        self.wardrobe.refused.pop(path, None)
        if not wears(spec, path) and (why := self._misfit(row, path)):
            self._session.desktop.say(f"{Path(path).name} is not put on: {why}")
            return
        self.remember()
        self._mailbox.swap(self.wardrobe.changed(spec, path))

    def _misfit(self, row: str, path: str) -> str:
        return self.wardrobe.misfit(path, self._facts.get(row), self._facts.get(self.painting))

    def expect(self, choice: bool) -> None:
        """Whether somebody is about to choose in the picker."""
        self._offering = choice
        self._keep_spare()

    def _keep_spare(self) -> None:
        """A process for what may be chosen soon, in the picker or in Settings, if there is memory; where that is ample one is kept in
        reserve, for who paints may be lost at any time."""
        names = self.names()
        listed = any(widget.role == "row" and widget.name in names for widget in self._session.desktop.widgets)
        reserve = self.memory.ample and not self._mailbox.away and (self._mailbox.spares.pid is not None or self._at_leisure())
        self._mailbox.spares.expect((self._offering or listed or reserve) and not self.memory.tight)

    def _at_leisure(self) -> bool:
        clock = self._session.desktop.clock
        return self._mailbox.status.state in ("ready", "painting") and clock.ticks - clock.input_tick >= LEISURE_S * TICKS

    def follow(self) -> None:
        """Once a loop: see what was wished for in Settings, what came of the latest choice, whether memory is short."""
        if (wish := self._preference()) != self._wish:
            self._wish = wish
            self.choose(wish)
        there = self._session.desktop.checkpoints, self.wardrobe.offered
        if there != self._read_for and not (self._reading and self._reading.is_alive()):
            self._read_for = there
            self._reading = threading.Thread(target=self._learn, name="facts", daemon=True)
            self._reading.start()
        latest = self._mailbox.latest
        if latest is not None and latest != self._told and not latest.under_way:
            self._told = latest
            if not latest.lent:
                self._came_of(latest)
        self._note()
        if self._due:
            self.remember()
        status = self._mailbox.status
        if status.state == "gave up" and self.painting not in ("bundled", "guide") and (latest is None or not latest.under_way):
            self._session.desktop.say(f"{self.painting} is lost: {status.why}")
            self._refused[self.painting] = status.why
            self.wardrobe.lost(self.painting)
            self._mailbox.swap(self._spec_of("bundled"))
        if self._to_keep and self._session.desktop.resting and self._session.keeper is not None:
            self._to_keep = False
            self._session.keeper.snapshot(self._session)
        now, swapping = monotonic(), latest is not None and latest.under_way
        if now - self._listed >= CHOICE_S and not swapping:
            self._listed = now
            self._keep_spare()
        if now - self._looked >= TIGHT_S:
            self._looked, self.memory = now, self._memory()
            if self.memory.tight:
                self._mailbox.cool()

    def remember(self) -> None:
        """Keep what is on the screen as the picture of who paints, as soon as all of it is its work."""
        info = self._mailbox.info
        self._due = info is None or self._session.waiting or self._mailbox.status.state != "ready"
        if info is None or self._due:
            return
        small = Image.fromarray(self._session.pixels).resize(THUMBNAIL, Image.Resampling.LANCZOS)
        name = self.painting
        self._shown[name] = np.asarray(small)
        path = self._pictures / f"{_plain(name)}.{info.sha256[:KEPT_SHA]}.png"
        threading.Thread(target=_write, args=(path, small), name="picture", daemon=True).start()

    def _came_of(self, latest: Swap) -> None:
        desktop, name, why, now = self._session.desktop, latest.spec.checkpoint, latest.why, self._mailbox.spec
        if why and name == now.checkpoint and latest.spec.loras != now.loras:
            desktop.say(self.wardrobe.refuse(latest.spec, why))
            return
        if why:
            self._refuse(name, why)
            return
        self._refused.pop(name, None)
        said = self.wardrobe.took_over(now)
        kept, own = {**self._notes.weights(name), **(desktop.loras if said else {})}, dict(now.weights)
        weights = {lora: kept.get(lora, weight) for lora, weight in own.items()}
        if desktop.loras != weights:
            desktop.prefer("loras", weights)
        self._weights = weights
        desktop.prefer("checkpoint", name)
        self._wish, self._to_keep = name, True
        desktop.say(said or f"{name} paints now.")
        self.remember()

    def _note(self) -> None:
        """Keep how LoRAs are weighed, and what was given up for want of memory; say the latter."""
        spec, info, desktop = self._mailbox.spec, self._mailbox.info, self._session.desktop
        if spec.weights and desktop.loras != self._weights and desktop.loras.keys() == dict(spec.weights).keys():
            self._weights = desktop.loras
            self._notes.keep_weights(spec.checkpoint, self._weights)
        gave_up = info.gave_up if info is not None else ()
        if gave_up != self._gave_up:
            self._gave_up = gave_up
            if info is not None and gave_up:
                self._notes.keep_short(spec.checkpoint, info.plan, gave_up)
                desktop.say(f"Memory ran short for {spec.checkpoint}: {gave_up[-1]}.")

    def _refuse(self, name: str, why: str) -> None:
        """Say why, and leave everything as it is."""
        self._refused[name] = why
        desktop = self._session.desktop
        if self._wish == name and name != self.painting:
            desktop.prefer("checkpoint", self.painting)
            self._wish, self._to_keep = self.painting, True
        desktop.say(f"{name} does not paint: {why}")

    def _card(self, name: str) -> Card:
        if (path := self._loras().get(name)) is not None:
            return self._lora_card(name, path)
        known = self._facts.get(name, CheckpointFacts(name, ""))
        latest, share = self._mailbox.latest, None
        why = self._refused.get(name, "") or known.why
        state, gave_up = "refused" if why else "", tuple[str, ...]()
        if any(spec.checkpoint == name for spec in self._mailbox.warm):
            state = "kept ready"
        if name == self.painting:
            state, why = {"ready": "painting", "painting": "painting", "away": "away"}.get(self._mailbox.status.state, "starting"), ""
            info = self._mailbox.info
            if info is not None and info.gave_up:
                known, gave_up = replace(known, plan=info.plan), info.gave_up
        if latest is not None and latest.under_way and latest.spec.checkpoint == name:
            share, why, state = latest.share, "", _on_its_way(latest)
        return Card(known, state, share, why, self._picture(name), gave_up)

    def _lora_card(self, row: str, path: str) -> Card:
        known, latest, spec = self._facts.get(row, CheckpointFacts(row, "")), self._mailbox.latest, self._mailbox.spec
        on = wears(spec, path)
        if latest is not None and latest.under_way and latest.spec.checkpoint == spec.checkpoint and wears(latest.spec, path) != on:
            return Card(known, _on_its_way(latest), latest.share, lora=True)
        why = "" if on else self._misfit(row, path)
        return Card(known, ON if on else "refused" if why else "", why=why, lora=True)

    def _picture(self, name: str) -> np.ndarray | None:
        if name not in self._shown:
            kept = sorted(self._pictures.glob(f"{_plain(name)}.*.png"), key=lambda path: path.stat().st_mtime)
            try:
                self._shown[name] = np.asarray(Image.open(kept[-1]).convert("RGB").resize(THUMBNAIL)) if kept else None
            except (OSError, ValueError, Image.DecompressionBombError):
                self._shown[name] = None
        return self._shown[name]

    def _learn(self) -> None:
        """On a thread of its own."""
        try:
            found = self._read()
        except PixelOSError as error:
            found = [replace(CheckpointFacts(name, "unknown"), why=str(error)) for name in self._read_for[0] if name not in ("bundled", "guide")]
        self._facts = {one.name: one for one in found}

    def _preference(self) -> str:
        return str(self._session.desktop.preference("checkpoint"))


def _on_its_way(latest: Swap) -> str:
    """How far a swap is, in words."""
    return "first frame" if latest.state == "trying" else f"loading {100 * latest.share:.0f} %" if latest.share else "starting"


def _plain(name: str) -> str:
    """A checkpoint's name as part of a file's; nothing in it is a pattern."""
    return quote(name, safe="")[-120:]


def _write(path: Path, picture: Image.Image) -> None:
    """On a thread of its own: a disk may be slow. Where it cannot be kept it is only a picture."""
    written = BytesIO()
    picture.save(written, "PNG")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, written.getvalue())
