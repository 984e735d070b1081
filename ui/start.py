"""`pixelos run` and `pixelos record`: profile, journal, painter, session, window, in this order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from ui.options import Choice

if TYPE_CHECKING:
    from engine.profile import Profile
    from engine.recorder import Recorder
    from engine.session import Session
    from engine.settings import Settings


def start(choice: Choice, record_to: Path | None = None) -> None:
    """Open everything and show the window until the user ends it. The window is up while the painter still loads."""
    from engine.profile import Profile
    from engine.settings import open_settings
    from ui.window import need_display, run

    need_display()
    with Profile.open(choice.profile) as profile:
        settings = open_settings(profile.settings_path)
        with _session(choice, profile, settings) as session, _recorder(session, record_to) as recorder, _watched(session, profile) as look:
            run(session, settings, _clock(session), recorder, look)


@contextmanager
def _session(choice: Choice, profile: Profile, settings: Settings) -> Iterator[Session]:
    from engine.geometry import parse_size
    from engine.journal import Journal
    from engine.keeping import Keeper, recover, resized
    from engine.mirror import Mirror
    from engine.process_mailbox import ProcessMailbox
    from engine.session import Session
    from models.catalog import check_spec, names, open_painter, resolve

    journal, mirror = Journal(profile.journal_path), Mirror(profile.documents)
    size = parse_size(choice.size or settings.size)
    desktop, past = recover(journal, mirror, size, tuple(names(profile.checkpoints)))
    wished = desktop.context.preferences
    if choice.size is None and "size" in wished:
        size = parse_size(wished["size"])
        desktop = resized(desktop, size)
    for key, fallback in (("style", settings.style), ("text_size", settings.text_size)):
        if key not in wished:
            desktop.prefer(key, fallback)
    if choice.style:
        desktop.prefer("style", choice.style)
    spec = choice.spec(
        checkpoint=wished.get("checkpoint", settings.checkpoint), mode=wished.get("mode", settings.mode), size=size,
        seed=settings.seed, device=settings.device, tuned=True,
    )  # fmt: skip
    check_spec(spec)
    desktop.prefer("loras", dict(spec.weights))
    if spec.checkpoint != "guide":
        resolve(spec.checkpoint, spec.profile)  # refused here, in one message, rather than in the child
    mailbox = ProcessMailbox(open_painter, spec)
    if past.latents is not None:
        mailbox.restore(past.latents)
    session = Session(desktop, mailbox, Keeper(journal, mirror), live=True)
    for note in past.notes:
        desktop.say(note)
    try:
        session.begin()
        yield session
    finally:
        session.close()


@contextmanager
def _watched(session: Session, profile: Profile) -> Iterator[Callable[[], None]]:
    """What tells the desktop of checkpoints that come and go while it is shown."""
    from models.watching import Watch

    watch = Watch(profile.folder)

    def look() -> None:
        if (news := watch.news()) is not None:
            session.desktop.offer(news.checkpoints)
            if news.said:
                more = f" And {len(news.said) - 1} more." if len(news.said) > 1 else ""
                session.desktop.say(news.said[0] + more)

    try:
        yield look
    finally:
        watch.close()


@contextmanager
def _recorder(session: Session, path: Path | None) -> Iterator[Recorder | None]:
    if path is None:
        yield None
        return
    from engine.recorder import Recorder
    from engine.starting_point import capture
    from engine.trace import Header

    desktop = session.desktop
    recorder = Recorder(path, Header(size=desktop.size, state=capture(desktop), start=desktop.clock.start))
    try:
        yield recorder
    finally:
        recorder.close()
        print(f"{recorder.events} events are in {path}", file=sys.stderr)


def _clock(session: Session) -> Callable[[], float]:
    """Session seconds, going on from where the session stands."""
    offset = session.desktop.t - monotonic()
    return lambda: monotonic() + offset

