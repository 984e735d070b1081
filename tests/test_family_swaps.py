"""Every open family takes over a running session, answers what is typed, and gives it back.

The mailbox that swaps is the real one; the painters, the very ones that a session opens, are in this process, for thirty
processes that each take torch in would take minutes. One of each kind (latent, reference, bundled) is swapped across processes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engine import swap_mailbox
from engine.desktop.desktop import Desktop
from engine.events import Ask, Text
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import Edit, OpenPainter, Painter, PainterSpec, Words
from engine.session import Session
from engine.swap_mailbox import SwapMailbox
from models.catalog import open_painter
from models.families import FAMILIES
from models.ladder import careful
from models.reference.painter import ReferencePainter
from tests.checkpoints import tiny_checkpoint
from tests.test_dream_swap import PATIENT, swapped
from tests.test_families import painter_of, request
from tests.test_painters import SIZE
from tests.test_process_mailbox import own_segments
from tests.test_references import opened, small_pictures  # noqa: F401 - a fixture of every test here
from tests.tiny_families import folder_of

NAMES = [row.name for row in FAMILIES]
LATENT = [row.name for row in FAMILIES if not row.references]
ROWS = {row.name: row for row in FAMILIES}
KINDS = ("sd-turbo", "klein", "bundled")  # a latent painter, one whose latents are the frame, one whose latents are packed pixels
FIRST, PART = "sd-turbo", Rect(64, 40, 48, 32)


class InThisProcess(DirectMailbox):
    """What a swapping mailbox asks of a painter's process, without one. Its painter is there at once."""

    guesses, card, readiness = False, None, None

    def __init__(self, open_painter: OpenPainter, spec: PainterSpec, limits: object = None, caps: object = None, spare: object = None) -> None:
        super().__init__(open_painter(spec))
        self.limits, self.caps, self.share = limits, caps, 1.0


@cache
def painter(spec: PainterSpec) -> Painter:
    """Opened once, as it is kept ready once it has painted."""
    folder = Path(spec.checkpoint)
    if folder.name not in ROWS or not ROWS[folder.name].references:
        return careful(open_painter(spec))
    return careful(ReferencePainter(opened(folder), spec))


def test_a_checkpoint_takes_a_session_over_from_itself_without_a_controlnet(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap_mailbox, "ProcessMailbox", InThisProcess)
    plain = PainterSpec(str(folder_of(checkpoints, FIRST)), size=SIZE, seed=5, threads=1, device="cpu", steps=1)
    mailbox = SwapMailbox(painter, plain)
    session = Session(Desktop(SIZE), mailbox)
    before = session.step([Ask(0.1, "notes"), Text(0.2, "He")], 0.2).pixels.copy()
    for spec, family in ((replace(plain, controlnet=str(folder_of(checkpoints, f"{FIRST}-control") / "controlnet")), f"{FIRST}-control"), (plain, FIRST)):
        mailbox.swap(spec)
        session.step((), 0.3)
        taken = session.step((), 0.4).pixels.copy()
        assert mailbox.latest is not None and (mailbox.latest.state, mailbox.latest.why) == ("done", "")
        assert mailbox.info is not None and mailbox.info.family == family and (taken != before).any() == (spec != plain)


@pytest.mark.parametrize("family", NAMES)
def test_every_family_takes_over_a_session_and_gives_it_back(checkpoints: Path, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap_mailbox, "ProcessMailbox", InThisProcess)
    first, other = (PainterSpec(str(folder_of(checkpoints, name)), size=SIZE, seed=5, threads=1, device="cpu", steps=1) for name in (FIRST, family))
    other = replace(other, seed=6)  # of the first family, too, another
    mailbox = SwapMailbox(painter, first)
    session = Session(Desktop(SIZE), mailbox)
    before = session.step([Ask(0.1, "notes"), Text(0.2, "He")], 0.2).pixels.copy()
    documents = dict(session.desktop.documents.contents)
    mailbox.swap(other)
    session.step((), 0.3)  # the trial is asked for, and taken over
    taken = session.step((), 0.4).pixels.copy()
    assert mailbox.latest is not None and (mailbox.latest.state, mailbox.latest.why) == ("done", "")
    assert mailbox.info is not None and mailbox.info.family == family and mailbox.spec == other
    assert (taken != before).mean() > 0.2 and session.desktop.documents.contents == documents
    typed = session.step([Text(0.5, "y")], 0.6)
    assert typed.damage and (typed.pixels != taken).any()
    changed = (typed.pixels != taken).any(-1)
    for x, y, w, h in typed.damage:
        changed[y : y + h, x : x + w] = False
    assert not changed.any()
    mailbox.swap(first)
    session.step((), 0.7)
    back = session.step((), 0.8).pixels
    assert mailbox.info is not None and mailbox.info.family == FIRST and other in mailbox.warm
    assert editor_text(session) == "Hey" and np.abs(back.astype(int) - before).mean() < np.abs(back.astype(int) - taken).mean()


@pytest.mark.parametrize("family", LATENT)
def test_an_edit_of_a_region_changes_nothing_outside_it_and_nothing_that_is_held(checkpoints: Path, family: str) -> None:
    found = painter_of(folder_of(checkpoints, family), steps=1)
    held = found.latents()
    asked = replace(request(words=Words(), damage=(PART,)), edit=Edit("turn this into a cat"))
    painting = found.paint(asked)
    assert [patch.rect for patch in painting.patches] == [PART] and asked.guide is not None
    assert (painting.patches[0].pixels != asked.guide[PART.slices]).any() and (found.latents() == held).all()


def spec_of(home: Path, name: str, mode: str = "guided") -> PainterSpec:
    """Of a tiny checkpoint, built the first time."""
    folder = home / name
    if name in ROWS:
        folder = folder_of(home, name)
    elif not folder.is_dir():
        tiny_checkpoint(folder)
    return PainterSpec(str(folder), mode=mode, size=SIZE, seed=5, threads=1, device="cpu", steps=1)


def editor_text(session: Session) -> str:
    return next(widget for widget in session.desktop.widgets if widget.role == "editor").text


@pytest.mark.usefixtures("libraries_at_hand")
def test_one_of_each_kind_takes_over_across_processes_and_what_is_typed_meanwhile_is_kept(checkpoints: Path) -> None:
    first, *others = (spec_of(checkpoints, name) for name in KINDS)
    mailbox = SwapMailbox(open_painter, first, PATIENT)
    session = Session(Desktop(SIZE), mailbox)
    try:
        session.step([Ask(0.1, "notes"), Text(0.2, "A")], 0.2)
        session.settle(PATIENT.paint)
        pid = mailbox.pid
        for t, spec in enumerate((*others, first), 1):
            before, typed = session.pixels.copy(), "A123"[: t + 1]
            mailbox.swap(spec)
            session.step([Text(t, typed[-1])], t)  # while it is opened
            swapped(session, mailbox, spec)
            assert mailbox.info is not None and mailbox.info.family == Path(spec.checkpoint).name
            assert (session.pixels != before).mean() > 0.2
            assert editor_text(session) == typed and [*session.desktop.documents.contents.values()] == [typed]
        assert mailbox.pid == pid, "the first was not kept ready"
    finally:
        session.close()
    assert own_segments() == []


def test_a_dream_goes_on_from_the_frame_that_was_dreamt_whatever_the_next_holds(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No two of them hold alike things, so nothing else can be handed on; bit for bit, for it is a picture that they wake from."""
    monkeypatch.setattr(swap_mailbox, "ProcessMailbox", InThisProcess)
    first, *others = (spec_of(checkpoints, name, mode="dream") for name in KINDS)
    mailbox = SwapMailbox(painter, first)
    session = Session(Desktop(SIZE), mailbox)
    session.step((), 0.1)
    t = 1.0
    for spec in (*others, first):
        dreamt = session.step([Ask(t, "notes"), Text(t, "He")], t).pixels.copy()
        assert (dreamt != session.guide.pixels).mean() > 0.2
        swapped(session, mailbox, spec)
        assert mailbox.info is not None and mailbox.info.family == Path(spec.checkpoint).name and (session.pixels == dreamt).all()
        t += 1.0
    assert (session.step([Text(t, "y")], t).pixels != dreamt).any()
