"""Paint: a picture and a paintbox; kept as a PNG in the documents folder after every stroke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from engine.desktop import bitmap
from engine.desktop.app import App, System
from engine.desktop.canvas import Canvas
from engine.desktop.documents import BIN
from engine.desktop.paintbox import Paintbox, draw_deeds, picture_place, picture_room
from engine.errors import InputError
from engine.geometry import Rect
from engine.open_work import Work, rows_of, values_of
from engine.scene import Touch
from engine.theme import Role

BLANK = (320, 240)  # size of a new picture
ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


class Paint(App):
    """`document` is "" until there is something to keep; `cross` is where the keyboard paints."""

    name: ClassVar[str] = "Paint"
    icon: ClassVar[str] = "paint"
    size: ClassVar[tuple[int, int]] = (422, 256)
    least: ClassVar[tuple[int, int]] = (210, 150)
    first_focus: ClassVar[str] = "picture"

    def __init__(self, system: System, state: dict[str, Any], **how: Any) -> None:
        super().__init__(system, state)
        self.box = Paintbox(state, lambda colour: system.focus(self, colour))
        self.by_keyboard: bool = state.get("by_keyboard", False)
        self._before: np.ndarray | None = None  # the picture when the stroke began
        self._view: tuple[int, tuple[int, int], np.ndarray, tuple[str, ...]] | None = None
        self._version = 0
        self._begin("", bitmap.blank(*BLANK))
        self._load(how.get("document") or state.get("document", ""), tell=not state)
        if state.get("shows") == bitmap.name_of(self.pixels):
            self._resume(state)

    def state(self) -> dict[str, Any]:
        return {
            "document": self.document,
            **self.box.state(),
            "by_keyboard": self.by_keyboard,
            "shows": bitmap.name_of(self.pixels if self._before is None else self._before),
            "cross": list(self.cross),
            "history": self._history.state(),
            "stroke": self._stroke_state(),
        }

    def _stroke_state(self) -> dict[str, Any] | None:
        """What a stroke that is not over has done so far."""
        if self._before is None:
            return None
        change = bitmap.Change.between(self._before, self.pixels)
        return {"pen": list(self._pen), "change": change and change.as_record()}

    def _resume(self, state: dict[str, Any]) -> None:
        """Go on where an earlier life stopped: the document holds the same picture as it did then."""
        self.cross = (state["cross"][0], state["cross"][1])
        self._history = bitmap.History.of(self.pixels, state["history"])
        stroke = state["stroke"]
        if stroke:
            self._before = self.pixels.copy()
            self._pen = (stroke["pen"][0], stroke["pen"][1])
            if stroke["change"]:
                change = bitmap.Change.from_record(stroke["change"], self.pixels)
                change.put(self.pixels, change.after)

    def shown_document(self) -> str:
        return self.document

    def listed(self) -> list[str]:
        """What is chosen in the paintbox, whether something can be undone and redone, and where the keyboard paints, if it does."""
        undoes, redoes = self._deeds()
        return rows_of({**self.box.state(), "undo": undoes, "redo": redoes, **({"cross": self.cross} if self.by_keyboard else {})})

    @classmethod
    def told(cls, system: System, work: Work, pixels: np.ndarray) -> Paint:
        """One that shows the same, as its rows tell it (`listed`), with the picture that its document is, uint8 (H, W, 3)."""
        chosen = values_of(work.rows)
        app = cls(system, {**chosen, "by_keyboard": "cross" in chosen})
        app.document, app.pixels, app.cross = work.name, pixels, tuple(chosen.get("cross", app.cross))
        app._history.done, app._history.undone = ([bitmap.UNTOLD] * chosen[deed] for deed in ("undo", "redo"))
        return app

    def _deeds(self) -> tuple[bool, bool]:
        """Whether something can be undone, and redone."""
        return bool(self._history.done), bool(self._history.undone)

    def show(self, **how: Any) -> None:
        if how.get("document") and how["document"] != self.document:
            self._load(how["document"])

    def closing(self) -> None:
        self._end()

    # The document

    def _begin(self, document: str, pixels: np.ndarray) -> None:
        self._name(document)
        self.pixels = pixels
        self.cross = pixels.shape[1] // 2, pixels.shape[0] // 2
        self._kept = self.system.documents.contents.get(document)
        self._as_copy = False
        self._history = bitmap.History()
        self._before = None
        self._pen = self.cross
        self._version += 1

    def _load(self, document: str, tell: bool = True) -> None:
        content = self.system.documents.contents.get(document)
        if not isinstance(content, bytes):
            return
        try:
            pixels, size = bitmap.decode(document, content)
        except InputError as error:
            self.system.say(str(error))
            return
        self._begin(document, pixels)
        self._as_copy = size != (pixels.shape[1], pixels.shape[0])
        if self._as_copy and tell:
            self.system.say(f"{document} is {size[0]}×{size[1]}: changes go to a smaller copy")

    def _name(self, document: str) -> None:
        self.document = document
        self.title = f"{document} · Paint" if document else "Paint"
        self.system.retitle(self, self.title)

    def tick(self) -> bool:
        """Follow the document to the name it was given elsewhere; let go of it once it was deleted."""
        contents = self.system.documents.contents
        if not self.document or self.document in contents:
            return False
        self._name(next((n for n, c in contents.items() if c == self._kept and not n.startswith(BIN)), ""))
        return True

    def _keep(self) -> None:
        """Write the picture to its document, or to a new one."""
        self.tick()
        documents = self.system.documents
        if not self.document or self._as_copy:
            self._name(documents.fresh(self.document.removesuffix(".png") or "Picture", ".png"))
            self._as_copy = False
        self._kept = bitmap.encode(self.pixels)
        documents.write(self.document, self._kept)

    def new(self) -> None:
        self._begin("", bitmap.blank(*BLANK))

    # Changing the picture

    def _start(self) -> None:
        self._before = self.pixels.copy()

    def _end(self) -> None:
        """A stroke is over: make it one step to undo, and keep the picture."""
        if self._before is None:
            return
        change = bitmap.Change.between(self._before, self.pixels)
        self._before = None
        if change:
            self._history.push(change)
            self._keep()

    def _apply(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Use the tool from one point to another."""
        self.box.apply(self.pixels, start, end)
        self._version += 1

    def clear(self) -> None:
        self._start()
        self.pixels[:] = 255
        self._version += 1
        self._end()

    def undo(self) -> None:
        self._end()
        if self._history.undo(self.pixels):
            self._version += 1
            self._keep()

    def redo(self) -> None:
        self._end()
        if self._history.redo(self.pixels):
            self._version += 1
            self._keep()

    # Keyboard

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        if "ctrl" in mods:
            redo = (key, mods) in (("y", ("ctrl",)), ("z", ("ctrl", "shift")), ("z", ("shift", "ctrl")))
            action = self.redo if redo else {"z": self.undo, "n": self.new}.get(key)
            if action:
                action()
            return action is not None
        return not mods and self.box.key(key)

    def _picture_key(self, key: str, mods: tuple[str, ...]) -> bool:
        """Arrows move the cross-hair (ctrl: far), shift paints the way; space and enter paint in place."""
        if key in ARROWS and "alt" not in mods:
            step = 24 if "ctrl" in mods else 6
            x, y = self.cross
            dx, dy = ARROWS[key]
            height, width = self.pixels.shape[:2]
            self.cross = max(0, min(width - 1, x + dx * step)), max(0, min(height - 1, y + dy * step))
            if "shift" in mods:
                self._paint_once((x, y), self.cross)
        elif key in ("space", "enter") and not mods:
            self._paint_once(self.cross, self.cross)
        else:
            return False
        self.by_keyboard = True
        return True

    def _paint_once(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        self._start()
        self._apply(start, end)
        self._end()

    def menu(self) -> list[tuple[str, Callable[[], None]]]:
        return [("Undo", self.undo), ("Redo", self.redo), ("New picture", self.new), ("Clear", self.clear)]

    # Drawing

    def draw(self, canvas: Canvas) -> None:
        self.box.draw(canvas)
        draw_deeds(canvas, {"undo": self.undo, "redo": self.redo, "new": self.new, "clear": self.clear}, *self._deeds())
        self._draw_picture(canvas, picture_room(canvas.rect))

    def _draw_picture(self, canvas: Canvas, room: Rect) -> None:
        height, width = self.pixels.shape[:2]
        view = picture_place(room, width, height)
        touch = self._picture_touch(view)
        widget = canvas.widget("canvas", "picture", view, touch, self.document, self.box.colour)
        pixels, key = self._seen(view.w, view.h)
        canvas.outline(view.grow(1), Role.ACCENT if "focused" in widget.state else Role.BORDER)
        canvas.picture(view, pixels, key)
        if self.by_keyboard and "focused" in widget.state:
            x, y = view.x + self.cross[0] * view.w // width, view.y + self.cross[1] * view.h // height
            inside = canvas.part(view)
            for grow, role in ((1, Role.FIELD), (0, Role.INK)):
                inside.fill(Rect(x - 7, y, 15, 1).grow(grow), role)
                inside.fill(Rect(x, y - 7, 1, 15).grow(grow), role)

    def _seen(self, w: int, h: int) -> tuple[np.ndarray, tuple[str, ...]]:
        """The pixels as shown, and their key: it names what they are, so an undone picture is known again."""
        if not self._view or self._view[:2] != (self._version, (w, h)):
            pixels = bitmap.scaled(self.pixels, w, h)
            key = ("picture", bitmap.name_of(pixels))
            self._view = self._version, (w, h), pixels, key
        return self._view[2], self._view[3]

    def _picture_touch(self, view: Rect) -> Touch:
        def point(x: int, y: int) -> tuple[int, int]:
            height, width = self.pixels.shape[:2]
            return (x - view.x) * width // view.w, (y - view.y) * height // view.h

        def press(x: int, y: int, clicks: int, mods: tuple[str, ...]) -> None:
            self.by_keyboard = False
            self._pen = self.cross = point(x, y)
            self._start()
            self._apply(self._pen, self._pen)

        def drag(x: int, y: int) -> None:
            if self._before is not None and self.box.tool != "fill" and point(x, y) != self._pen:
                self._apply(self._pen, point(x, y))
                self._pen = point(x, y)

        return Touch(
            press=press, drag=drag, release=lambda x, y: self._end(), key=self._picture_key, menu=self.menu,
            focusable=True,
        )  # fmt: skip
