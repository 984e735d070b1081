"""The ask bar's second half: what is on the screen turned into something else, step by step.

While a step of the strip is shown it covers the desktop, whose windows are kept behind it and get no input. Opening
anything, or going to step 0, brings the desktop back.
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from engine.desktop.asking import Answer, reference_in, strength_in
from engine.desktop.bitmap import MOST_PIXELS, decode, encode, filled_up
from engine.desktop.canvas import Canvas
from engine.desktop.region import Region
from engine.desktop.strip import MOST, SCREEN, Strip
from engine.document_files import check_name
from engine.errors import InputError
from engine.events import Drop
from engine.geometry import SIZE_STEP, Rect
from engine.scene import Touch

if TYPE_CHECKING:
    from engine.desktop.desktop import Desktop

LONGEST_NAME = 40
FULL = f"The strip holds {MOST} steps: from now on an old one goes for each that comes. “keep this picture” puts one into your folder."
UNSEEN = "{} is not looked at: this checkpoint takes no second picture. It follows your words alone."


class Turning:
    """Strip and region of one desktop. `turns`, `refers`, `strength`: what who paints can do, as its `PainterInfo` says."""

    def __init__(self, desktop: Desktop, state: dict[str, Any], pictures: dict[int, bytes] | None = None) -> None:
        self._desktop = desktop
        self.strip = Strip(state.get("strip"), pictures)
        self.turns: bool = state.get("turns", False)
        self.refers: bool = state.get("refers", False)
        self.strength: float = state.get("strength", 0.0)
        self.region: Region | None = None
        if state.get("region"):
            *rect, choosing = state["region"]
            self.region = Region(desktop.size, Rect(*rect), bool(choosing))

    @property
    def hint(self) -> str:
        """What the ask bar says while it is empty and a picture or a region is meant."""
        where = "here" if self.region else "in the picture"
        return f"What is to be different {where}{' (…, strongly)' if self.strength else ''}"

    def state(self) -> dict[str, Any]:
        region = self.region.state() if self.region else None
        return {"strip": self.strip.state(), "turns": self.turns, "refers": self.refers, "strength": self.strength, "region": region}

    @property
    def shown(self) -> int:
        """The step that covers the desktop; 0 for none."""
        return self.strip.at

    @property
    def choosing(self) -> bool:
        """Whether pointer and keys draw a region now."""
        return self.region is not None and self.region.choosing

    @property
    def deaf(self) -> bool:
        """Whether what is typed goes nowhere: to no window behind a picture, and to no region."""
        return self.choosing or bool(self.shown and not self._desktop.ask_bar)

    def ask(self, reply: Answer) -> None:
        """Do what an answer says of steps and pictures. Raises InputError where that cannot be."""
        region, self.region = self.region, None
        dropped = self.strip.dropped
        if reply.step:
            self.go(int(reply.step) if reply.step.isdecimal() else self.strip.beside(reply.step))
        elif reply.start:
            self._start(reply.start)
        elif reply.keep:
            self._keep()
        elif reply.turn:
            words, strength = strength_in(reply.turn) if self.strength else (reply.turn, 0.0)
            reference = reference_in(words, self._desktop.documents)
            self.strip.ask(words, region.rect if region else None, reference if self.refers else "", strength)
            self._desktop.note("turn", reply.turn)
            if reference and not self.refers:
                self._desktop.say(UNSEEN.format(reference[:-4]))
        if self.strip.dropped and not dropped:
            self._desktop.say(FULL)

    def go(self, number: int) -> None:
        self.strip.go(number)
        self._desktop.stale()

    def painted(self, number: int, pixels: np.ndarray) -> None:
        """A step's picture is there: uint8 (H, W, 3)."""
        if not self.strip.keep(number, pixels):
            self._desktop.say(f"Step {number} is painted. Ask for “step {number}” to see it.")
        self._desktop.stale()

    def failed(self, why: str) -> None:
        """The pending step will not be painted."""
        words = self.strip.cancel()
        self._desktop.say(f"“{words}” was given up: {why}.")

    def drop(self, event: Drop) -> None:
        """Put a picture into the folder and ask what it is for. Raises InputError where it is none; nothing changed."""
        try:
            data = base64.b64decode(event.picture, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError("a dropped picture is PNG bytes as base64") from error
        pixels, _ = decode(event.name, data)
        desktop, name = self._desktop, document_name(event.name)
        name = desktop.documents.fresh(name, ".png")
        desktop.documents.write(name, encode(pixels))
        if desktop.ask_bar is None:
            desktop.toggle_ask_bar()
        if desktop.ask_bar is not None:
            desktop.ask_bar.field.text = f"start from {name[:-4]}"
            desktop.ask_bar.field.buffer.select_all()
        desktop.say(f"{name} is in your folder: Enter starts from it, “like {name[:-4]}” looks like it.")

    def begin_region(self) -> None:
        """Let pointer and keys draw a region; the ask bar comes when it stands."""
        desktop = self._desktop
        if desktop.ask_bar:
            desktop.toggle_ask_bar()
        self.region = Region.middle(desktop.size)
        desktop.stale()

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        """Keys of region and strip, before any other; whether one was used."""
        desktop = self._desktop
        if (key, frozenset(mods)) == ("space", frozenset(("ctrl", "shift"))):
            self.begin_region()
        elif self.region is not None and self.region.choosing:
            self._region_key(self.region, key, mods)
        elif key == "escape" and self.strip.pending and not desktop.ask_bar:
            self.failed("you stopped it")
        elif mods == ("alt",) and key in ("left", "right", "up", "down", "home") and (self.shown or desktop.ask_bar):
            self.go(0 if key == "home" else self.strip.beside(key))
        elif self.shown and not desktop.ask_bar and (key, mods) != ("space", ("ctrl",)):
            if key == "escape":
                self.strip.folded = not self.strip.folded
        else:
            return False
        desktop.stale()
        return True

    def draw_screen(self, canvas: Canvas) -> None:
        """The step that is shown, over everything."""
        step = self.strip.steps[self.shown]
        pixels = self.strip.pixels(self.shown, self._desktop.size)
        canvas.picture(canvas.rect, pixels, (SCREEN, self.shown, *self._desktop.size))
        canvas.widget("picture", SCREEN, canvas.rect, Touch(), step.words)

    def draw_tools(self, canvas: Canvas) -> None:
        """Strip and region, where they are wanted."""
        if self.strip.pictures and (self._desktop.ask_bar or (self.shown and not self.strip.folded)):
            self.strip.draw(canvas, self.go)
        if self.region is not None and self.region.choosing:
            self.region.draw(canvas)

    def _region_key(self, region: Region, key: str, mods: tuple[str, ...]) -> None:
        if key == "escape":
            self.region = None
        elif key == "enter":
            region.choosing = False
            self._desktop.toggle_ask_bar()
            if self._desktop.ask_bar:
                self._desktop.ask_bar.hint = "What is to be different here"
        else:
            region.key(key, mods)

    def _start(self, name: str) -> None:
        content = self._desktop.documents.read(name)
        pixels, _ = decode(name, content if isinstance(content, bytes) else b"")
        size = self._desktop.size
        if all(0 <= whole - side < SIZE_STEP for whole, side in zip(size, pixels.shape[1::-1], strict=True)):  # as other programs' frames are learned
            shown = filled_up(pixels, size)
        else:
            shown = np.array(ImageOps.fit(Image.fromarray(pixels), size, Image.Resampling.LANCZOS))
        self.strip.start(name[:-4], encode(shown))

    def _keep(self) -> None:
        desktop = self._desktop
        name = desktop.documents.fresh(document_name(self.strip.steps[self.shown].words), ".png")
        desktop.documents.write(name, self.strip.pictures[self.shown])
        desktop.say(f"Kept as {name}.")


def document_name(words: str) -> str:
    """What a picture of these words can be called, without an ending."""
    plain = "".join(c for c in words if c.isprintable() and c not in '/\\:*?"<>|')
    plain = " ".join(plain.removesuffix(".png").split()).strip(". ")[:LONGEST_NAME].strip(". ")
    try:
        check_name(f"{plain}.png")
    except InputError:
        return "Picture"
    return plain


def read_picture(name: str, data: bytes, size: tuple[int, int]) -> bytes:
    """A picture file of any usual kind as PNG bytes of at most `size` (width, height), without what else it may hold.

    Raises InputError where the bytes are no picture, or far too large a one.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "BMP", "GIF")) as image:
            if image.width * image.height > MOST_PIXELS:
                raise InputError(f"{name} is too large to open ({image.width}×{image.height}); scale it down first")
            image.draft("RGB", size)
            whole = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{name} cannot be read as a picture; PNG, JPEG, WebP, BMP and GIF can") from error
    whole.thumbnail(size, Image.Resampling.LANCZOS)
    paper = Image.new("RGBA", whole.size, (255, 255, 255, 255))
    paper.alpha_composite(whole)
    return encode(np.array(paper.convert("RGB")))
