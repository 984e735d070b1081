"""Files: the documents folder and its bin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from engine.desktop.app import App, System
from engine.desktop.canvas import Canvas
from engine.desktop.documents import BIN, PICTURE, Content, kind_of
from engine.desktop.text_field import TextField
from engine.desktop.toolbar import parted
from engine.desktop.word_count import count, told
from engine.errors import InputError
from engine.geometry import Rect
from engine.open_work import Work
from engine.scene import Touch
from engine.theme import Role
from engine.typeface import width

ICONS = {".md": "notes", ".txt": "document", ".png": "picture"}
NOTCH = 3  # rows a notch of the wheel scrolls
PNG = b"\x89PNG\r\n\x1a\n"
RENAMING = "renaming"  # the page that shows a field in a row's place
FIELD = "documents/new name"
Action = Callable[[], None]


class Files(App):
    """`chosen` is the selected document; `renaming` the field in its place while it gets another name."""

    name: ClassVar[str] = "Files"
    icon: ClassVar[str] = "files"
    size: ClassVar[tuple[int, int]] = (330, 230)
    least: ClassVar[tuple[int, int]] = (190, 130)
    first_focus: ClassVar[str] = "documents"
    pages: ClassVar[tuple[str, ...]] = ("bin", RENAMING)

    def __init__(self, system: System, state: dict[str, Any], **how: Any) -> None:
        super().__init__(system, state)
        self.binned: bool = state.get("binned", False)
        self.backwards: bool = state.get("backwards", False)  # sorted from Z to A
        self.chosen: str = state.get("chosen", "")
        self.first: int = state.get("first", 0)
        self.asking = state.get("asking", False)  # "Empty bin"
        self.deleted: str = state.get("deleted", "")  # in the bin: what Ctrl+Z brings back
        self.renaming: TextField | None = None
        if state.get("renaming"):
            self.renaming = TextField(system, state["renaming"]["text"])
            self.renaming.buffer.restore(state["renaming"])
        self._page = 1  # rows in view, as last drawn
        self._notes: dict[str, tuple[Content | None, str]] = {}

    def state(self) -> dict[str, Any]:
        return {
            "binned": self.binned,
            "backwards": self.backwards,
            "chosen": self.chosen,
            "first": self.first,
            "asking": self.asking,
            "deleted": self.deleted,
            "renaming": self.renaming and {"text": self.renaming.text, **self.renaming.buffer.state()},
        }

    def shown_page(self) -> str:
        return RENAMING if self.renaming else "bin" if self.binned else ""

    def listed(self) -> list[str]:
        """The documents, then, without a name, how many there are in the bin."""
        return [*(f"{name}\t{self._note(name)}" for name in self.names()), f"\t{len(self.system.documents.names(binned=True))}"]

    @classmethod
    def told(cls, system: System, work: Work) -> Files:
        """As it was when it was told of; `system` can read none of the documents."""
        app = cls(system, {"binned": work.page == "bin", "chosen": work.chosen, "first": work.scroll, "asking": work.asks})
        app._notes = {name: (None, note) for name, _, note in (row.partition("\t") for row in work.rows)}
        app.renaming = TextField.of(system, work.typed) if work.typed is not None else None
        return app

    def in_field(self) -> tuple[str, int, int] | None:
        return self.renaming.told() if self.renaming else None

    def scrolled(self) -> int:
        return self.first

    def names(self) -> list[str]:
        names = self.system.documents.names(self.binned)
        return names[::-1] if self.backwards else names

    # What can be done

    def open(self) -> None:
        """Open the chosen document in its app; out of the bin, bring it back."""
        if self.binned:
            self.restore()
        elif self.chosen in self.names():
            self.system.open("Paint" if kind_of(self.chosen) == PICTURE else "Notes", document=self.chosen)

    def rename(self) -> None:
        if self.chosen in self.names() and not self.binned:
            self.renaming = TextField(self.system, self.chosen)
            self.renaming.buffer.select(
                0, self.chosen.rfind(".")
            )  # what is typed takes the place of all but the kind
            self.system.focus(self, FIELD)

    def _renamed(self) -> None:
        """Give the document its new name; a name that cannot be leaves the field open."""
        if not self.renaming:
            return
        before = set(self.names())
        try:
            self.system.documents.rename(self.chosen, self.renaming.text)
        except InputError as error:
            self.system.say(str(error))
            return
        self._choose(next(iter(set(self.names()) - before), self.chosen))

    def delete(self) -> None:
        names = self.names()
        if self.chosen in names and not self.binned:
            self.deleted = self.system.documents.delete(self.chosen)
            self.system.say(f"{self.chosen} is in the bin. Ctrl+Z brings it back.")
            self._choose_beside(names)

    def restore(self) -> None:
        names = self.names()
        if self.chosen in names and self.binned:
            self.system.say(f"{self.system.documents.restore(self.chosen)} is back in the documents.")
            self._choose_beside(names)

    def undelete(self) -> None:
        if self.deleted in self.system.documents.names(binned=True):
            name = self.system.documents.restore(self.deleted)
            self.show_bin(False)
            self._choose(name)
        self.deleted = ""

    def empty_bin(self) -> None:
        """The first click asks, the second does it."""
        if self.asking:
            self.system.documents.empty_bin()
        self.asking = not self.asking and bool(self.names())

    def show_bin(self, binned: bool) -> None:
        self.binned, self.first = binned, 0
        self._choose("")

    def sort(self) -> None:
        self.backwards = not self.backwards
        self._choose(self.chosen)

    def _choose(self, name: str) -> None:
        self.chosen, self.renaming, self.asking = name, None, False
        names = self.names()
        if name in names:
            at = names.index(name)
            self.first = max(min(self.first, at), at - self._page + 1)
        self.system.focus(self, "documents")

    def _choose_beside(self, before: list[str]) -> None:
        """After the chosen one went, choose what took its place in the list."""
        at, names = before.index(self.chosen), self.names()
        self._choose(names[min(at, len(names) - 1)] if names else "")

    # Input

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        if mods == ("ctrl",):
            action = {"r": self.rename, "z": self.undelete}.get(key)
        elif not mods:
            back: Action | None = (lambda: self.show_bin(False)) if self.binned else None
            action = {"enter": self.open, "delete": self.delete, "backspace": back, "escape": back}.get(key)
        else:
            return False
        if action:
            action()
        return bool(action) or (not mods and self._move(key))

    def _move(self, key: str) -> bool:
        """Choose another row: arrows, pages, the ends, or the next name that starts with a letter."""
        names = self.names()
        if not names:
            return False
        last = len(names) - 1
        at = names.index(self.chosen) if self.chosen in names else -1
        page = max(self._page - 1, 1)
        above = at - 1 if at >= 0 else last
        to = {
            "up": above,
            "down": at + 1,
            "pageup": at - page,
            "pagedown": at + page,
            "home": 0,
            "end": last,
        }.get(key)
        if to is None and len(key) == 1:
            turned = [*range(at + 1, last + 1), *range(at + 1)]
            to = next((i for i in turned if names[i].casefold().startswith(key)), None)
        if to is None:
            return False
        self._choose(names[max(0, min(to, last))])
        return True

    def _wheel(self, dy: int) -> bool:
        last = max(len(self.names()) - self._page, 0)
        self._scroll_to(self.first - dy * NOTCH)
        return last > 0

    def _scroll_to(self, first: int) -> None:
        self.first = max(0, min(first, len(self.names()) - self._page))

    def _row_menu(self, name: str) -> list[tuple[str, Action]]:
        self._choose(name)
        return self.menu()

    def menu(self) -> list[tuple[str, Action]]:
        entries: list[tuple[str, Action]] = []
        if self.binned:
            entries = [("Restore", self.restore)]
        else:
            entries = [("Open", self.open), ("Rename", self.rename), ("Delete", self.delete)]
        return [
            *(entries if self.chosen in self.names() else []),
            ("Sort A to Z" if self.backwards else "Sort Z to A", self.sort),
            ("Documents" if self.binned else "Bin", lambda: self.show_bin(not self.binned)),
        ]

    # Drawing

    def draw(self, canvas: Canvas) -> None:
        tools, listed = parted(canvas.rect, canvas.row)
        self._draw_tools(canvas, tools)
        self._draw_list(canvas, listed)

    def _draw_tools(self, canvas: Canvas, bar: Rect) -> None:
        """What can be done with the chosen document at the left, the way to the bin and back at the right."""
        chosen = self.chosen in self.names()
        tools: list[tuple[str, str, str, Action, bool]]  # name, text, icon, click, enabled
        if self.binned:
            text = "Click again" if self.asking else "Empty bin"
            tools = [
                ("Restore", "Restore", "undo", self.restore, chosen),
                ("Empty bin", text, "close", self.empty_bin, bool(self.names())),
                ("Documents", "Documents", "folder", lambda: self.show_bin(False), True),
            ]
        else:
            count = len(self.system.documents.names(binned=True))
            tools = [
                ("Open", "Open", "folder", self.open, chosen),
                ("Rename", "Rename", "paint", self.rename, chosen),
                ("Delete", "Delete", "close", self.delete, chosen),
                ("Bin", f"Bin ({count})" if count else "Bin", "bin", lambda: self.show_bin(True), True),
            ]
        room = [width(canvas.face, text) + 18 for _, text, *_ in tools]
        worded = sum(room) + 4 * len(tools) <= bar.w
        x = bar.x
        for (name, text, icon, click, enabled), w in zip(tools, room, strict=True):
            asks = name == "Empty bin" and self.asking
            words = text if worded or asks else None
            w = w if words else bar.h + 4
            box = Rect(bar.right - w if name == tools[-1][0] else x, bar.y, w, bar.h)
            mark = "" if words else icon
            canvas.button(name, box, click, text=words, icon=mark, enabled=enabled, primary=asks)
            x += w + 4

    def _draw_list(self, canvas: Canvas, box: Rect) -> None:
        names = self.names()
        touch = Touch(key=self.key, wheel=self._wheel, menu=self.menu, focusable=True)
        title = "bin" if self.binned else "documents"
        widget = canvas.widget("list", "documents", box, touch, title, len(names))
        canvas.fill(box, Role.FIELD, "field")
        canvas.outline(box, Role.ACCENT if "focused" in widget.state else Role.BORDER, shape="field")
        inner = canvas.part(box.inset(3, 3, 3, 3), "documents")
        self._page = max(inner.rect.h // canvas.row, 1)
        self.first = max(0, min(self.first, len(names) - self._page))
        scrolls = len(names) > self._page
        for i, name in enumerate(names[self.first : self.first + self._page]):
            place = Rect(inner.rect.x, inner.rect.y + i * canvas.row, inner.rect.w - 13 * scrolls, canvas.row)
            self._draw_row(inner, name, place)
        if not names:
            _draw_empty(inner, inner.rect, self.binned)
        bar = Rect(box.right - 13, box.y + 2, 10, box.h - 4)
        canvas.scrollbar(bar, self.first, self._page, len(names), self._scroll_to)

    def _draw_row(self, canvas: Canvas, name: str, place: Rect) -> None:
        chosen = name == self.chosen
        icon = _icon_of(name)
        if chosen and self.renaming:
            canvas.mark(Rect(place.x + 6, place.y + (place.h - 16) // 2, 16, 16), icon, Role.ACCENT)
            field = place.inset(24, 0, 2, 0)
            self.renaming.draw(
                canvas, "new name", field, on_enter=self._renamed, on_escape=lambda: self._choose(name)
            )
            return

        def press(x: int, y: int, clicks: int, mods: tuple[str, ...]) -> None:
            self._choose(name)
            if clicks == 2:
                self.open()

        touch = Touch(press=press, menu=lambda: self._row_menu(name))
        note = self._note(name)
        canvas.list_row(name, place, touch, icon=icon, selected=chosen, note=note, focusable=False)

    def _note(self, name: str) -> str:
        """How long a text is, how large a picture; worked out once for each content."""
        known = self._notes.get(name)
        if known is None or known[0] is not None:
            content = self.system.documents.read(BIN + name if self.binned else name)
            if known is None or known[0] is not content:
                self._notes[name] = known = content, _length(content)
        return known[1]


def _draw_empty(canvas: Canvas, room: Rect, binned: bool) -> None:
    lines = ["The bin is empty."] if binned else ["No documents yet.", "What you write or paint is kept here."]
    y = room.y + max((room.h - canvas.line * len(lines)) // 2, 0)
    for i, line in enumerate(lines):
        place = Rect(room.x + 6, y + i * canvas.line, room.w - 12, canvas.line)
        canvas.label(line, place, role=Role.MUTED, align="centre")


def _icon_of(name: str) -> str:
    return ICONS.get(kind_of(name), "document")


def _length(content: Content) -> str:
    if isinstance(content, bytes):
        if content[:8] == PNG and len(content) >= 24:
            return f"{int.from_bytes(content[16:20])} × {int.from_bytes(content[20:24])}"
        return f"{len(content)} bytes"
    words = count(content)
    return told(words, None) if words else "empty"
