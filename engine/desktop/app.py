"""The one small interface every app is written against.

An app is its state and two or three methods. It draws its whole content each time it is asked, on a canvas that takes
care of clipping, focus and hit testing, and gets its input through the widgets it has drawn. All that it knows of the
world comes through `system`; it never looks at a clock, a file or a random number of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from engine.desktop.canvas import Canvas
from engine.desktop.documents import Documents


class System(Protocol):
    """What the desktop offers its apps."""

    documents: Documents
    clipboard: str

    @property
    def t(self) -> float:
        """Seconds since the session started."""

    @property
    def text_size(self) -> int: ...

    def preference(self, key: str) -> Any:
        """style, text_size, size, mode, checkpoint, ..."""

    def prefer(self, key: str, value: Any) -> None: ...

    def open(self, app: str, **how: Any) -> None:
        """Open (or, with `document=name`, show) an app's window, in front and focused."""

    def close(self, app: App) -> None: ...

    def retitle(self, app: App, title: str) -> None: ...

    def focus(self, app: App, name: str) -> None:
        """Give the focus within the app's window to the widget `name`."""

    def say(self, message: str) -> None:
        """A short notice to the user, also in the log."""

    def log_lines(self) -> list[str]:
        """What the system did: events, paints, timings; newest last."""

    def known(self) -> list[str]:
        """What the context knows of the user, in plain words."""

    def forget(self) -> None:
        """Clear what the context knows."""

    def random(self, below: int) -> int:
        """A whole number from the desktop's own seeded sequence; part of its state."""


class App:
    """Base of all apps. Subclasses set the class attributes and override what they need."""

    name: ClassVar[str] = ""
    icon: ClassVar[str] = "document"
    size: ClassVar[tuple[int, int]] = (300, 220)  # preferred size of the window's content, pixels
    least: ClassVar[tuple[int, int]] = (160, 100)
    first_focus: ClassVar[str] = ""  # name of the widget that has the focus when the window opens
    pages: ClassVar[tuple[str, ...]] = ()  # what it can show in place of the page that it opens with, see `shown_page`
    chosen: str = ""  # of the rows that it lists, see `listed`
    title: str = ""  # of the window when it opens, if not the app's name; `System.retitle` changes it later
    asking: bool = False  # whether a button that takes something away was clicked once, and asks to be clicked again
    in_front: bool = True  # kept by the desktop: whether its window has the keyboard, as of this tick

    def __init__(self, system: System, state: dict[str, Any], **how: Any) -> None:
        """`state` is what `state()` returned in an earlier life, or {}; `how` is what `open` was given."""
        self.system = system

    def state(self) -> dict[str, Any]:
        """All that must survive a restart, as JSON values."""
        return {}

    def shown_document(self) -> str | None:
        """Name of the document it shows, "" for one that has none yet; None for an app that shows none."""
        return None

    def shown_page(self) -> str:
        """Which of `pages` it shows, or how else it stands that it shows something else; "" for how it opens."""
        return ""

    def scrolled(self) -> int:
        """How far what it shows is scrolled: how many pixels of a page, or rows of a list, lie above what is seen."""
        return 0

    def listed(self) -> list[str]:
        """What it lists of the user's and the system's own, a row each, its note behind a tab; nothing that is a part of the app."""
        return []

    def in_field(self) -> tuple[str, int, int] | None:
        """What stands in its field of one line, anchor and caret; None where it has none, or does not show it."""
        return None

    def in_text(self) -> dict[str, Any] | None:
        """Of the text that it shows, what `Editor.place` says, and how many `characters` it tells, None while somebody types; None where it shows none."""
        return None

    def show(self, **how: Any) -> None:
        """The app was opened while its window already stood."""

    def draw(self, canvas: Canvas) -> None:
        """Draw everything on the canvas, whose `rect` is the window's content."""

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        """A key that the focused widget did not use. True if it was used."""
        return False

    def tick(self) -> bool:
        """Ten times a second while the window is open. True if the picture changed."""
        return False

    def menu(self) -> list[tuple[str, Callable[[], None]]]:
        """Entries of the window's own context menu."""
        return []

    def closing(self) -> None:
        """The window is about to close: save what is not saved."""
