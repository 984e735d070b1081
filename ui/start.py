"""`pixelos run` and `pixelos record`: profile, journal, painter, session, window, in this order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from ui.options import Choice

if TYPE_CHECKING:
    from engine.checkpoints import CheckpointFacts
    from engine.painter import PainterSpec
    from engine.profile import Profile
    from engine.recorder import Recorder
    from engine.session import Session
    from engine.settings import Settings
    from engine.swap_mailbox import SwapMailbox
    from engine.yielding import Yielding
    from ui.gallery import Gallery, Memory

PROCESS_MB = 600  # that the libraries of one painter's process take beside its weights
TIGHT = 0.05  # share of the memory that must be free for anybody to be kept ready
AMPLE = 0.4  # and for a process that only waits, some 460 MB


def start(choice: Choice, record_to: Path | None, caps: Mapping[str, float | None]) -> None:
    """Open everything and show the window until the user ends it. The window is up while the painter still loads.

    caps: settings that were said on the command line, None where nothing was. Raises InputError for one that cannot be."""
    from engine.profile import Profile
    from engine.settings import checked, open_settings
    from ui.window import need_display, run

    said = checked({name: value for name, value in caps.items() if value is not None})
    need_display()
    with Profile.open(choice.profile) as profile:
        settings = open_settings(profile.settings_path).model_copy(update=said)
        with (
            _session(choice, profile, settings) as (session, gallery, yielding),
            _recorder(session, record_to) as recorder,
            _watched(session, gallery, profile) as look,
        ):
            run(session, settings, _clock(session), recorder, _idle(session, look, settings), gallery, yielding)


@contextmanager
def _session(choice: Choice, profile: Profile, settings: Settings) -> Iterator[tuple[Session, Gallery, Yielding]]:
    from engine.checkpoint_notes import CheckpointNotes
    from engine.desktop.asking import unknown_in
    from engine.desktop.wishes import restyle
    from engine.errors import CheckpointError
    from engine.geometry import parse_size
    from engine.journal import Journal
    from engine.keeping import Keeper, recover, resized
    from engine.mirror import Mirror
    from engine.session import Session
    from engine.swap_mailbox import SwapMailbox
    from models.catalog import ALWAYS, LIBRARIES, check_spec, names, open_carefully, resolve
    from ui.gallery import Gallery

    journal, mirror = Journal(profile.journal_path), Mirror(profile.documents)
    size = parse_size(choice.size or settings.size)
    desktop, past = recover(journal, mirror, size, tuple(names(profile.checkpoints)))
    wished = desktop.context.preferences
    if choice.size is None and "size" in wished:
        size = parse_size(wished["size"])
        desktop = resized(desktop, size)
    fresh = "style" not in wished
    for key, fallback in (("style", settings.style), ("text_size", settings.text_size)):
        if key not in wished:
            desktop.prefer(key, fallback)
    if choice.style:
        restyle(desktop, choice.style)
    elif fresh and (unknown := unknown_in(settings.style, desktop.documents)):
        desktop.say(f"The style in your settings: {unknown}")
    spec = choice.spec(
        checkpoint=wished.get("checkpoint", settings.checkpoint), mode=wished.get("mode", settings.mode), size=size,
        seed=settings.seed, device=settings.device, tuned=True,
    )  # fmt: skip
    check_spec(spec)
    _check_said(choice, spec)
    notes = CheckpointNotes(profile.folder)
    spec = notes.weighed(spec, choice.weighed) if choice.lora or spec.checkpoint in ALWAYS else notes.dressed(spec)
    if spec.checkpoint != "guide":
        try:
            resolve(spec.checkpoint, spec.profile)  # refused here, in one message, rather than in the child
        except CheckpointError as error:
            if choice.checkpoint is not None or "checkpoint" not in wished:
                raise
            # It was chosen in the window, and has gone since: that must not keep the program from starting.
            desktop.say(f"{error}; bundled paints")
            spec = replace(spec, checkpoint="bundled", loras=(), sampler="auto", vae="auto", controlnet="")
    desktop.prefer("loras", dict(spec.weights))
    here = _Here(spec, settings.spare)
    mailbox = SwapMailbox(open_carefully, spec, room=here.room, caps=settings.caps, libraries=LIBRARIES)
    if past.latents is not None:
        mailbox.restore(past.latents)
    session = Session(desktop, mailbox, Keeper(journal, mirror), live=True)
    for note in past.notes:
        desktop.say(note)
    gallery = here.gallery = Gallery(session, mailbox, here.facts, here.memory, here.spec_of, profile.folder / "pictures", notes)
    try:
        session.begin()
        yield session, gallery, here.yielding(session, mailbox, settings)
        gallery.remember()
    finally:
        session.close()


def _check_said(choice: Choice, spec: PainterSpec) -> None:
    """Refuse what was said on the command line and cannot be; what was chosen in a window is answered for there. Raises CheckpointError."""
    from models.catalog import check_device, first_look

    if choice.checkpoint is not None:
        first_look(spec)
    if choice.device is not None and choice.device.startswith("cuda") and _number(choice.device) >= len(_gpus()):  # no driver names it: torch may see others
        from models.apart import apart

        apart(check_device, choice.device)


class _Here:
    """What the gallery and the mailbox must know of the models and of this machine."""

    def __init__(self, spec: PainterSpec, spare: bool = True) -> None:
        self._spec, self._spare = spec, spare  # as the session was started
        self._gpu = bool(_gpus()) and spec.device != "cpu"
        self.gallery: Gallery | None = None

    def facts(self) -> list[CheckpointFacts]:
        from models.apart import apart
        from models.catalog import facts_of

        return apart(facts_of, self._spec)

    def memory(self) -> Memory:
        import psutil

        from ui.gallery import Memory

        main = psutil.virtual_memory()
        tight, ample = main.available < TIGHT * main.total, self._spare and main.available > AMPLE * main.total
        gpus = _gpus() if self._gpu else []
        if not gpus:
            return Memory(main.available / 1e6, tight, ample=ample)
        gpu = gpus[_number(self._spec.device) % len(gpus)]
        return Memory(gpu["vram_free_gb"] * 2**30 / 1e6, tight or gpu["vram_free_gb"] < TIGHT * gpu["vram_gb"], "GPU memory", ample)

    def spec_of(self, name: str) -> PainterSpec:
        from engine.checkpoints import opened_as

        return opened_as(self._spec, name)

    def yielding(self, session: Session, mailbox: SwapMailbox, settings: Settings) -> Yielding:
        """What gives the card back. The painter's process tells of it while it paints there, the driver after that."""
        from engine.yielding import GB, Yielding
        from models.card import DriverMeter
        from ui.hud import written

        driver = DriverMeter(self._spec.device)

        def instead(spec: PainterSpec) -> PainterSpec | None:
            """The bundled checkpoint on the CPU; whoever paints there already gives way to the guide."""
            plain = replace(self.spec_of("bundled"), device="cpu", dtype="auto", mode=spec.mode)
            thrifty = spec.checkpoint == "guide" or (spec.checkpoint == "bundled" and not self._gpu)
            return None if thrifty or settings.away == "guide" else plain

        return Yielding(
            mailbox, lambda: driver() if mailbox.away else mailbox.card, instead, session.desktop.say,
            settings.vram_reserve * GB, settings.auto_yield, written(settings.keys.give_back),
        )  # fmt: skip

    def room(self, spec: PainterSpec, gone: Sequence[PainterSpec]) -> bool:
        """Whether a checkpoint fits beside what is there, once those of `gone` are not."""
        return self._needs(spec) <= self.memory().free_mb + sum(map(self._needs, gone))

    def _needs(self, spec: PainterSpec) -> float:
        """Megabytes, with the process it paints in; by its files' size where headers were not read yet."""
        from engine.errors import CheckpointError
        from models.catalog import control_of, resolve
        from models.limits import weights_size

        own = 0.0 if self._gpu else PROCESS_MB
        known = self.gallery.needs_mb(spec) if self.gallery is not None else None
        if known is not None or spec.checkpoint == "guide":
            return (known or 0.0) + own
        try:
            control = control_of(spec)
            files = [resolve(spec.checkpoint, spec.profile), *([control.path] if control is not None else [])]
            return 2 * sum(map(weights_size, files)) / 1e6 + own
        except CheckpointError:
            return own  # refused when it is opened


def _number(device: str) -> int:
    """Which of the GPUs an option's name means."""
    return int(device.partition(":")[2] or 0)


def _gpus() -> list[dict[str, Any]]:
    from benchmarks.machine import gpus

    return gpus()


@contextmanager
def _watched(session: Session, gallery: Gallery, profile: Profile) -> Iterator[Callable[[], None]]:
    """What tells of checkpoints and LoRAs that come and go while the window is shown."""
    from models.watching import Watch

    watch = Watch(profile.folder)

    def look() -> None:
        if (news := watch.news()) is not None:
            session.desktop.offer(news.checkpoints)
            gallery.wardrobe.offered = news.loras
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


def _idle(session: Session, look: Callable[[], None], settings: Settings) -> Callable[[], bool]:
    """What is done between input and frame: see what is new in the folders, and paint ahead."""
    from engine.speculation import Speculation

    mailbox = session.mailbox
    ahead = Speculation(session, lambda: getattr(mailbox, "guesser", None), settings.speculation)

    def follow() -> bool:
        look()
        return ahead.follow()

    return follow


def _clock(session: Session) -> Callable[[], float]:
    """Session seconds, going on from where the session stands."""
    offset = session.desktop.t - monotonic()
    return lambda: monotonic() + offset

