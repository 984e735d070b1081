"""What the mailbox and the painter's process write to each other: small plain values over a pipe.

Pixels and latents do not travel here; they lie in `engine.frame_memory`, and a letter says which of them
counts. The two take turns: after `Paint` the mailbox sends nothing until `Painted` or `Failed` came; a painter that
takes steps tells of each, and one that gets itself ready between paints of that. Only what follows a `Guess` waits for
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.geometry import Rect
from engine.painter import PainterInfo, PainterSpec, PaintRequest, Readiness


@dataclass(frozen=True, slots=True)
class LatentForm:
    """Shape and numpy dtype string of a painter's latents."""

    shape: tuple[int, ...]
    dtype: str


# To a process that waits to be needed


@dataclass(frozen=True, slots=True)
class Begin:
    """Open this painter; frames: the name of the shared memory."""

    spec: PainterSpec
    frames: str


# From the process to the mailbox


@dataclass(frozen=True, slots=True)
class Opening:
    """The process runs and opens its painter now."""


@dataclass(frozen=True, slots=True)
class Opened:
    info: PainterInfo
    form: LatentForm


@dataclass(frozen=True, slots=True)
class Refused:
    """The painter could not be opened; hopeless where the input is wrong: trying again cannot help; short: for want of memory."""

    why: str
    hopeless: bool
    short: bool = False


@dataclass(frozen=True, slots=True)
class Stepped:
    """A sign of progress in a long paint: steps done, steps in all."""

    done: int
    steps: int


@dataclass(frozen=True, slots=True)
class Readied:
    """Between two paints the painter got a piece readier."""

    readiness: Readiness


@dataclass(frozen=True, slots=True)
class Painted:
    """Done: the pixels of `rects` and the latents of `serial` lie in shared memory. info: of the painter, where it changed."""

    seq: int
    rects: tuple[Rect, ...]
    source: str
    ms: dict[str, float]
    why: str = ""
    lookups: tuple[int, int] = (0, 0)
    needed: int = 0
    info: PainterInfo | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Painting raised; the painter is back at the latents it had before. short: for want of memory, and it will be so again."""

    why: str
    short: bool = False


@dataclass(frozen=True, slots=True)
class Guessed:
    """The guess is over: so many patches were painted ahead."""

    patches: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A paint was given up between two steps; the painter is back at the latents it had before."""


# From the mailbox to the process


@dataclass(frozen=True, slots=True)
class Attach:
    """Publish latents in this memory from now on. serial: of those to paint on from; 0: an empty frame."""

    memory: str
    serial: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Paint on from the latents published under `serial`."""

    serial: int


@dataclass(frozen=True, slots=True)
class Paint:
    """Paint `request`, whose arrays `given` lie in `slot` of the frame memory; publish its latents under `serial`."""

    serial: int
    request: PaintRequest
    slot: int
    given: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guess:
    """Paint these ahead; their arrays lie in the frame memory's last slots. Any further letter means: no more of it."""

    requests: tuple[PaintRequest, ...]


@dataclass(frozen=True, slots=True)
class End:
    """Close the painter and end."""


ToMailbox = Opening | Opened | Refused | Stepped | Readied | Painted | Failed | Dropped | Guessed
ToChild = Attach | Restore | Paint | Guess | End
