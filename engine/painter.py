"""The painter contract, and the painter without a model.

A painter turns (its previous latents, events, context, guide) into the pixels of the damage. It keeps its latents
between calls; whoever holds the painter owns them. A frame is uint8 (H, W, 3) RGB everywhere in this contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Protocol, runtime_checkable

import numpy as np

from engine.card import Reading
from engine.errors import PixelOSError
from engine.events import Event
from engine.geometry import Rect
from engine.open_work import Asked, Offered, Work

Pixels = np.ndarray  # uint8 (H, W, 3)
CROPS, CACHE, EMBEDDINGS = "crops", "frame cache", "embedding cache"
TECHNIQUES = (CROPS, CACHE, EMBEDDINGS)  # of painting no more than need be
HOST, EVENTS = "host", "CUDA events"  # whose clock times a paint's stages
GRAPHS = "CUDA graphs"  # a technique too, where there is a GPU
BATCHES = "batches"  # of small crops, a technique of latent painters, on a GPU of prompted ones in pairs
FINE = "fine crops"  # of many sizes, not of a few, a technique of the bundled family's on a CPU
THREAD_COUNT = "thread count"  # that is measured, a technique of the bundled family's on a CPU
FUSING = "fused layers"  # and this one, there, in half precision
DREAMER = "dreamer"  # no technique, but what a dream can be left without: the rules alone carry it on
COMPILERS = TORCH_COMPILE, OPENVINO = "torch.compile", "OpenVINO"  # and these, where compiling is asked for
AUTO, OWN = "auto", "own"  # of a spec's sampler and autoencoder: as is found, and the checkpoint's
TOLD = 6  # events that are told in words; what came before them the frame shows already


@dataclass(frozen=True, slots=True)
class PainterSpec:
    """Everything needed to open a painter, in this process or another. Plain values only: it is pickled."""

    checkpoint: str = "bundled"  # name, folder, .safetensors file, or "guide"
    loras: tuple[tuple[str, float], ...] = ()
    mode: str = "guided"  # or "dream"
    size: tuple[int, int] = (512, 384)
    seed: int = 0
    steps: int | None = None  # None: the checkpoint's own number
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    profile: str | None = None  # where named checkpoints are looked up
    tuned: bool = False  # whether what `bench tune` found is taken where nothing is said
    least_crop: int | None = None  # pixels: the shortest side of what is painted at once; None: the family's own
    without: tuple[str, ...] = ()  # TECHNIQUES and those below them that are left out, to see what each is worth
    vram_budget: float | None = None  # GB that may be taken; None: what is free less a reserve
    cache_mb: float = 64.0  # of patches that are kept to be looked up
    compiled: bool = False  # whether a compiler is tried on the networks, see models.compiling
    sampler: str = "auto"  # "own", or a name of models.loras.samplers; "auto": as the LoRAs ask
    vae: str = "auto"  # an autoencoder's name or file, or "own": the checkpoint's; "auto": as models.autoencoders finds one
    controlnet: str = ""  # a ControlNet's name, folder or file; "": the checkpoint's own, if it has one

    @property
    def weights(self) -> tuple[tuple[str, float], ...]:
        """The LoRAs by what they are called, each its own name, and their weights."""
        found: dict[str, float] = {}
        for path, weight in self.loras:
            name, count = PurePath(path).stem, 1
            while name in found:
                count += 1
                name = f"{PurePath(path).stem} {count}"
            found[name] = weight
        return tuple(found.items())


@dataclass(frozen=True, slots=True)
class LoraInfo:
    """One LoRA that a painter paints with."""

    name: str
    sha256: str
    weight: float


@dataclass(frozen=True, slots=True)
class PainterInfo:
    """What paints: shown on the HUD and written into every report."""

    name: str
    family: str  # "guide", "bundled", or a row of models.families
    sha256: str
    mode: str
    device: str
    dtype: str
    steps: int
    reach: int = 0  # pixels by which painting changes more than the guide's damage (shadows, glow)
    weights: str = ""
    plan: str = ""  # how it lies in memory, in words
    gave_up: tuple[str, ...] = ()  # what it does since memory ran out, in words
    prompted: bool = False  # whether it is told in words what to paint
    loras: tuple[LoraInfo, ...] = ()  # as it was opened; their weights may have changed since
    turns: bool = False  # whether it takes an `Edit`
    note: str = ""  # what the user should know about it
    guesses: bool = False  # whether it paints ahead, see `GuessingPainter`
    imagines: bool = False  # whether its dream carries on a guide of its own, which it paints in any look
    compiler: str = ""  # which of COMPILERS the networks were compiled by, where that was asked for and works
    compile_s: float = 0.0  # seconds that it took
    refers: bool = False  # whether an edit's reference picture is shown to it
    threads: int = 0  # that a CPU paints large crops with; 0 where it is not told
    strength: float = 0.0  # share of a picture that an edit paints over where nobody says; 0: it is told what to change instead


@dataclass(frozen=True, slots=True)
class ContextFeatures:
    """The context as numbers, before a checkpoint's own encoder makes tokens of it.

    slow: float32 (S,), style and habits, changes rarely; recent: float32 (R,), the last events; work: the open work, the front window's last, clock:
    what the clock shows, notice: what is said for a while, asked: the ask bar where it is open, menu: an open one, and icon: the one on the desktop that has
    the keyboard, for who dreams. Equal are those whose numbers are.
    """

    slow: np.ndarray
    recent: np.ndarray
    work: tuple[Work, ...] = ()
    clock: str = ""
    notice: str = ""
    asked: Asked | None = None
    menu: Offered | None = None
    icon: str = ""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ContextFeatures)
            and np.array_equal(self.slow, other.slow)
            and np.array_equal(self.recent, other.recent)
        )

    def __hash__(self) -> int:
        return hash((self.slow.tobytes(), self.recent.tobytes()))


@dataclass(frozen=True, slots=True)
class Words:
    """For a prompted painter. look: the style asked for; told: what the events did, a sentence each, the last TOLD of
    them; known: the context's summary."""

    look: str = ""
    told: tuple[str, ...] = ()
    known: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Turn one picture into another. instruction: what is to be different; reference: a picture to go by, PNG bytes, or
    none; strength: share of the picture that is painted over, up to 1, 0 for the painter's own."""

    instruction: str
    reference: bytes = b""
    strength: float = 0.0


@dataclass(frozen=True, slots=True)
class PaintRequest:
    """Paint `damage` so that the frame shows what `guide` shows, in the context's style.

    guide: uint8 (H, W, 3), the whole frame; None in dream mode. verbatim: uint8 (H, W), 255 where the guide's own
    pixels are content (pictures) that no style may change. forms: uint8 (H, W, 4), see `Guide`. damage: rects on the 8-pixel grid, inside the frame,
    already grown by the painter's reach. weights: of LoRAs, by name, from now on; one that is not named keeps its own.


    edit: instead of all that, turn the picture that stands in `guide` into another, inside `damage`; what the painter holds
    stays as it is. Only for a painter that `turns`.

    The arrays are lent: until it answers, a painter may read them; what it keeps of them it copies.
    """

    seq: int
    events: tuple[Event, ...]
    damage: tuple[Rect, ...]
    guide: Pixels | None
    verbatim: np.ndarray | None
    context: ContextFeatures
    pointer: tuple[int, int] = (0, 0)
    buttons: tuple[str, ...] = ()
    forms: np.ndarray | None = None
    words: Words = Words()
    weights: tuple[tuple[str, float], ...] = ()
    edit: Edit | None = None


ARRAYS = ("guide", "verbatim", "forms")  # what of a request is as large as the frame


@dataclass(frozen=True, slots=True)
class Patch:
    """New pixels for one rect: uint8 (rect.h, rect.w, 3)."""

    rect: Rect
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Painting:
    """A painter's answer. Patches lie inside the damage asked for (plus a coarser painter's own grid)."""

    seq: int
    patches: tuple[Patch, ...]
    source: str  # "painted", "cached", "skipped" or "guide"
    ms: dict[str, float] = field(default_factory=dict)  # stages: embed, encode, denoise, decode
    why: str = ""  # why an edit came to nothing
    lookups: tuple[int, int] = (0, 0)  # patches looked for in the frame cache, and found there
    needed: int = 0  # patches that had been painted ahead


def put_into(out: np.ndarray | None, latents: np.ndarray) -> np.ndarray:
    """A copy of latents: in `out`, or a new one where that is None. Raises ValueError for an `out` of another shape or dtype."""
    if out is None:
        return latents.copy()
    if out.shape != latents.shape or out.dtype != latents.dtype:
        raise ValueError(f"latents are {latents.dtype} {latents.shape}, not {out.dtype} {out.shape}")
    out[...] = latents
    return out


class Painter(Protocol):
    """What every painter does. `paint` is synchronous; not thread-safe."""

    @property
    def info(self) -> PainterInfo: ...

    def paint(self, request: PaintRequest) -> Painting: ...

    def latents(self, out: np.ndarray | None = None) -> np.ndarray:
        """The latents as one array that `restore` takes back without loss; session state, saved with it. out: where to put them, of
        their shape and dtype; else they lie in a new one. Raises ValueError where it is of another."""

    def restore(self, latents: np.ndarray | None) -> None:
        """Take back latents; None means none are known: an empty (mid-grey) previous frame."""

    def close(self) -> None: ...


@runtime_checkable
class GuessingPainter(Painter, Protocol):
    """A painter that paints ahead, where its `info` says so."""

    def guess(self, requests: Sequence[PaintRequest], dropped: Callable[[], bool]) -> int:
        """Paint what may be asked for, one after the other, on a copy of the latents, and remember it by what it came from; give
        up as soon as `dropped` says so. Returns how many patches were painted. No later painting is different for it."""


@runtime_checkable
class MeteredPainter(Painter, Protocol):
    """A painter that knows the memory of the card it paints on."""

    def card(self) -> Reading | None:
        """As it is now; None where it is on none. Called from a thread of its own while it paints."""


OnStep = Callable[[int, int], bool]  # (steps done, steps in all) -> whether to go on
OnPreview = Callable[[Pixels], None]  # what an edit would be like after the step just done, the whole frame


class Cancelled(PixelOSError):
    """A paint was given up between two steps; the painter is as it was before."""


@runtime_checkable
class SteppingPainter(Painter, Protocol):
    """A painter whose paint takes a while: it calls `on_step` between steps, and raises Cancelled where that says no."""

    on_step: OnStep | None


@runtime_checkable
class PreviewingPainter(SteppingPainter, Protocol):
    """A painter that shows an edit while it comes about: it calls `on_preview` before `on_step`."""

    on_preview: OnPreview | None


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far a painter is with something that makes it quicker. what: its name; done, of: pieces; note: why it goes on
    without, if it does."""

    what: str
    done: int
    of: int
    note: str = ""

    @property
    def complete(self) -> bool:
        return bool(self.note) or self.done == self.of

    def __str__(self) -> str:
        return f"painting without: {self.note}" if self.note else f"{self.done} of {self.of} ready"


@runtime_checkable
class ReadyingPainter(Painter, Protocol):
    """A painter that can make its later paints quicker while nothing is asked of it."""

    def get_ready(self) -> Readiness | None:
        """Do the next piece, which takes about as long as a few paints and changes no pixel; how far that is, None where
        nothing is left."""


OpenPainter = Callable[[PainterSpec], Painter]


class GuidePainter:
    """Shows the guide itself. For tests, for fallback, and always labelled as such."""

    def __init__(self, spec: PainterSpec) -> None:
        self.info = PainterInfo("guide", "guide", "", "guided", "cpu", "uint8", 0)
        self._frame = np.full((spec.size[1], spec.size[0], 3), 128, np.uint8)

    def paint(self, request: PaintRequest) -> Painting:
        if request.guide is None:
            return Painting(request.seq, (), "skipped")
        patches = []
        for rect in request.damage:
            self._frame[rect.slices] = request.guide[rect.slices]
            patches.append(Patch(rect, self._frame[rect.slices].copy()))
        return Painting(request.seq, tuple(patches), "guide")

    def latents(self, out: np.ndarray | None = None) -> np.ndarray:
        return put_into(out, self._frame)

    def restore(self, latents: np.ndarray | None) -> None:
        self._frame[:] = 128 if latents is None else latents

    def close(self) -> None:
        """Nothing is held."""
