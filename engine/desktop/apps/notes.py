"""Notes: a word processor for Markdown documents that other editors open, saved with every change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from engine.desktop import markdown, toolbar
from engine.desktop.app import App, System
from engine.desktop.canvas import Canvas
from engine.desktop.document_list import DocumentList
from engine.desktop.editor import Editor
from engine.desktop.find_bar import FindBar
from engine.desktop.note_page import PAD, NotePage, tools
from engine.desktop.notebook import Notebook
from engine.desktop.text_field import TextField
from engine.desktop.toolbar import Tool
from engine.desktop.word_count import WordCount, told
from engine.errors import InputError
from engine.geometry import Rect
from engine.theme import Role
from engine.typeface import width

NEW = "New note"  # title of a document that has no name yet
REST = 10  # ticks without typing after which a document takes its first line's new name
COUNTING = 4  # ticks without typing after which the characters are counted anew
LEFT_STEPS, LEFT_SIZE = 50, 10_000  # undo steps and characters kept of a document that is not shown
Action = Callable[[], None]


class Notes(App):
    """`book` knows the documents, `editor` shows the current one's text."""

    name: ClassVar[str] = "Notes"
    icon: ClassVar[str] = "notes"
    size: ClassVar[tuple[int, int]] = (320, 230)
    least: ClassVar[tuple[int, int]] = (210, 140)
    first_focus: ClassVar[str] = "text"
    pages: ClassVar[tuple[str, ...]] = ("list", "find", "list find")

    def __init__(self, system: System, state: dict[str, Any], **how: Any) -> None:
        super().__init__(system, state)
        self.book = Notebook(system.documents, state)
        self.editor = Editor(system, self._edited)
        self.editor.load(self.book.text, state.get("editor"))
        self.count = WordCount(self.book.text)
        self.finder = FindBar(system, self.editor, self.close_find, state.get("find", {}))
        self.list = DocumentList(self.book.names, self.turn_to, self._to_text, state.get("list", {}))
        naming = state.get("naming")
        self.naming = None if naming is None else TextField(system, naming)
        if self.naming:
            self.naming.buffer.restore(state.get("named", {}))
        self._characters: int | None = state.get("characters", len(self.book.text))  # as shown: none while somebody types
        self._rest: int = state.get("rest", REST)  # ticks since the last change
        self.title = self.book.name or NEW
        if not state:
            self.show(how.get("document") or self.book.recent(system.preference("last_document")))

    def state(self) -> dict[str, Any]:
        return {
            **self.book.state(),
            "editor": self.editor.state(),
            "find": self.finder.state(),
            "list": self.list.state(),
            "naming": self.naming.text if self.naming else None,
            "named": self.naming and self.naming.buffer.state(),
            "characters": self._characters,
            "rest": self._rest,
        }

    # Documents

    def shown_document(self) -> str:
        return self.book.name

    def shown_page(self) -> str:
        if self.naming:
            return ""
        return " ".join(page for page, shown in (("list", self.list.shown), ("find", self.finder.shown)) if shown)

    def listed(self) -> list[str]:
        return self.list.rows(self.book.name or NEW) if self.list.shown else []

    def scrolled(self) -> int:
        return self.list.first if self.list.shown else 0

    def in_text(self) -> dict[str, Any]:
        return {**self.editor.place(), "characters": self._characters}

    def show(self, document: str = "", **how: Any) -> None:
        """Show a document, if there is one of that name."""
        if document in self.book.names():
            self.turn_to(document)

    def turn_to(self, name: str) -> None:
        """Show another document; "" for a new one."""
        if name != self.book.name:
            self._take_name()
            self.book.leave(self.editor.state(LEFT_STEPS, LEFT_SIZE))
            self.naming = None
            self._load(self.book.show(name))

    def new(self) -> None:
        self.turn_to("")
        self._to_text()

    def turn(self, step: int) -> None:
        """The next (+1) or previous (-1) document."""
        names = self.book.names()
        if names:
            at = names.index(self.book.name) if self.book.name in names else -(step > 0)
            self.turn_to(names[(at + step) % len(names)])

    def delete(self) -> None:
        """Move the document to the bin, and show the one beside it."""
        if self.book.name:
            self.system.say(f"{self.book.name} is in the bin.")
            self.system.documents.delete(self.book.name)
            self._catch_up()

    def rename(self) -> None:
        """Let the user type another name."""
        self.finder.shown = False
        self.naming = TextField(self.system, self.book.name.rpartition(".")[0])
        self.naming.buffer.select_all()
        self.system.focus(self, "new name")

    def _renamed(self) -> None:
        try:
            self.book.rename(self.naming.text if self.naming else "")
        except InputError as error:
            self.system.say(str(error))
            return
        self.close_find()

    def _load(self, kept: dict[str, Any]) -> None:
        """Show the book's current document."""
        self.editor.load(self.book.text, kept)
        self.count = WordCount(self.editor.buffer.text)
        self._characters, self._rest = len(self.editor.buffer.text), REST
        self.list.reveal(self.book.name)
        self._name_window()
        self._working_on()

    def _name_window(self) -> None:
        self.title = self.book.name or NEW
        self.system.retitle(self, self.title)

    def _edited(self, at: int, removed: str, inserted: str) -> None:
        text = self.editor.buffer.text
        self.count.edit(text, at, removed, inserted)
        self.book.write(text)
        self._characters, self._rest = None, 0
        self._name_window()
        self._working_on()

    def _working_on(self) -> None:
        """Let the launcher suggest this document, and Notes open with it next time."""
        if self.book.name and self.system.preference("last_document") != self.book.name:
            self.system.prefer("last_document", self.book.name)

    def _take_name(self) -> None:
        """Let the document be named after its first line as that is now."""
        if self.book.follow_first_line():
            self.list.reveal(self.book.name)
            self._name_window()
            self._working_on()

    def _catch_up(self) -> None:
        """Follow what Files or the disk did to the document shown."""
        happened = self.book.catch_up()
        if happened == "gone":
            self._load(self.book.show(self.book.beside()))
        elif happened == "changed":
            self._load(self.editor.state())

    def tick(self) -> bool:
        self._rest = min(self._rest + 1, REST + 1)
        before = self.title, self._characters
        self._catch_up()
        if self._rest >= COUNTING:
            self._characters = len(self.editor.buffer.text)
        if self._rest == REST or "\n" in self.editor.buffer.text[: self.editor.buffer.caret]:
            self._take_name()
        self._name_window()
        return before != (self.title, self._characters)

    def closing(self) -> None:
        self._take_name()

    # Keys and menu

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        action = self._actions().get((key, "ctrl" in mods, "shift" in mods)) if set(mods) <= {"ctrl", "shift"} else None
        if action:
            action()
        return action is not None

    def _actions(self) -> dict[tuple[str, bool, bool], Action]:
        """By key, whether with Ctrl and whether with Shift."""
        finding: dict[tuple[str, bool, bool], Action] = {
            ("enter", False, True): lambda: self.finder.turn(-1),
            ("escape", False, False): self.close_find,
        }
        return {
            ("n", True, False): self.new,
            ("f", True, False): self.find,
            ("d", True, False): self._go_to_list,
            ("g", True, False): lambda: self.finder.turn(1),
            ("g", True, True): lambda: self.finder.turn(-1),
            **{keys: self._on_text(change) for keys, change in markdown.KEYS.items()},
            ("tab", True, False): lambda: self.turn(1),
            ("tab", True, True): lambda: self.turn(-1),
            **(finding if self.finder.shown or self.naming else {}),
        }

    def menu(self) -> list[tuple[str, Action]]:
        named: list[tuple[str, Action]] = [("Rename", self.rename), ("Delete", self.delete)]
        shown = "Hide documents" if self.list.shown else "Show documents"
        return [(NEW, self.new), (shown, self._toggle_list), ("Find", self.find), *(named if self.book.name else [])]

    def in_field(self) -> tuple[str, int, int] | None:
        return self.finder.field.told() if self.finder.shown and not self.naming else None

    def find(self) -> None:
        self.naming = None
        self.finder.open()
        self.system.focus(self, "find")

    def close_find(self) -> None:
        self.finder.shown, self.naming = False, None
        self._to_text()

    def _to_text(self) -> None:
        self.system.focus(self, "text")

    def _toggle_find(self) -> None:
        (self.close_find if self.finder.shown else self.find)()

    def _toggle_list(self) -> None:
        self.list.shown = not self.list.shown
        self.list.reveal(self.book.name)

    def _go_to_list(self) -> None:
        """Show the list of documents with the focus on it, or hide it."""
        self._toggle_list()
        self.system.focus(self, "note list" if self.list.shown else "text")

    def _on_text(self, change: Callable[[Any], object]) -> Action:
        return lambda: self.editor.act(lambda: change(self.editor.buffer))

    def _heading(self, level: int) -> Action:
        return self._on_text(lambda buffer: markdown.set_heading(buffer, level))

    # Drawing

    def draw(self, canvas: Canvas) -> None:
        """Tools, what is being asked, the text beside the list, the count; small windows do without the count, and
        without the tools while something is asked."""
        self._catch_up()
        lists, asks = self.list.shown, bool(self.naming) or self.finder.shown
        page = NotePage.of(canvas.rect, canvas.row, canvas.line, canvas.sheet.text_size, asks, lists)
        if page.tools:
            toolbar.draw(canvas, page.tools, self._tools())
        if page.question:
            self._draw_question(canvas, page.question)
        if page.status:
            canvas.label("status", page.status, told(self.count.words, self._characters), Role.MUTED, align="right")
        if page.list:
            self.list.draw(canvas, page.list, self.book.name or NEW)
        self.editor.draw(canvas, "text", page.text, self.finder.found())

    def _draw_question(self, canvas: Canvas, row: Rect) -> None:
        if self.naming:
            self._draw_naming(canvas, row, self.naming)
        else:
            self.finder.draw(canvas, row)

    def _tools(self) -> list[list[Tool]]:
        """The buttons above the text, in groups."""
        buffer = self.editor.buffer
        clicks: dict[str, Action] = {
            "Documents": self._toggle_list,
            "New": self.new,
            "Undo": lambda: self.editor.act(buffer.undo),
            "Redo": lambda: self.editor.act(buffer.redo),
            "Heading": self._heading((markdown.level_at(buffer) + 1) % 3),
            "List": self._on_text(markdown.toggle_list),
            "Find": self._toggle_find,
        }
        return tools(buffer, buffer.history.deeds, self.list.shown, self.finder.shown, clicks)

    def _draw_naming(self, canvas: Canvas, row: Rect, naming: TextField) -> None:
        asked = width(canvas.face, "Name") + 2 * PAD
        canvas.label("Name", Rect(row.x + 3, row.y, asked, row.h))
        done = width(canvas.face, "Rename") + 20
        field = Rect(row.x + asked, row.y, row.w - asked - done - PAD, row.h)
        naming.draw(canvas, "new name", field, on_enter=self._renamed, on_escape=self.close_find)
        canvas.button("Rename", Rect(field.right + PAD, row.y, done, row.h), self._renamed, focusable=False)
