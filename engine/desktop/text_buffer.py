"""Text being edited: the text itself, a caret and an anchor, and what can be undone.

Offsets count code points. Everything is kept as it came, also what no font can draw; only line ends become "\\n".
It knows nothing of pixels.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any

from engine.desktop import text_stops as stops
from engine.desktop.text_history import KEPT_SIZE, KEPT_STEPS, History, Step, sound

Watch = Callable[[int, str, str], None]
SURROGATE = re.compile("[\ud800-\udfff]")


class TextBuffer:
    """`anchor` is where the selection began, `caret` where it ends; equal when nothing is selected.

    `watch(at, removed, inserted)` is called after each change. A buffer of a `single` line keeps no line ends.
    """

    def __init__(self, text: str = "", single: bool = False, watch: Watch | None = None) -> None:
        self.single = single
        self.watch = watch
        self.text = self._clean(text)
        self.caret = self.anchor = len(self.text) if single else 0
        self.history = History()

    # State

    def state(self, steps: int = KEPT_STEPS, size: int = KEPT_SIZE) -> dict[str, Any]:
        """Caret, selection and the newest undo steps as JSON values; of the text only its checksum."""
        history = self.history.state(steps, size)
        return {"caret": self.caret, "anchor": self.anchor, "of": checksum(self.text), "history": history}

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state's caret; its undo steps only if they were made with this very text."""
        history = state.get("history", {})
        same = state.get("of") == checksum(self.text) and sound(history)
        self.history = History(history if same else None)
        self.select(int(state.get("anchor", 0)), int(state.get("caret", 0)))
        self.history.open = bool(same and history.get("open"))

    # The selection

    @property
    def low(self) -> int:
        return min(self.caret, self.anchor)

    @property
    def high(self) -> int:
        return max(self.caret, self.anchor)

    @property
    def selected(self) -> str:
        return self.text[self.low : self.high]

    def select(self, anchor: int, caret: int) -> None:
        """Select from `anchor` to `caret`, both brought to the nearest places a caret may stand."""
        end = len(self.text)
        self.anchor = stops.nearest(self.text, max(0, min(anchor, end)))
        self.caret = stops.nearest(self.text, max(0, min(caret, end)))
        self.history.open = False

    def move(self, to: int, keep: bool = False) -> None:
        """Move the caret; `keep` lets the selection grow with it."""
        self.select(self.anchor if keep else to, to)

    def step(self, direction: int, by_word: bool = False, keep: bool = False) -> None:
        """Move by one character or word: back (-1) or on (+1). A selection that is given up is left at that side."""
        if self.low < self.high and not (keep or by_word):
            self.move(self.low if direction < 0 else self.high)
        else:
            self.move(self._beside(self.caret, direction, by_word), keep)

    def select_all(self) -> None:
        self.select(0, len(self.text))

    def select_word(self, at: int) -> None:
        self.select(*stops.word_at(self.text, at))

    def select_line(self, at: int) -> None:
        self.select(*stops.line_at(self.text, at))

    # Changing the text

    def insert(self, new: str) -> None:
        """Put `new` in place of the selection; single characters in a row become one undo step a word."""
        new = self._clean(new)
        typed = "type" if new and new != "\n" and self.low == self.high and stops.after(new, 0) == len(new) else ""
        self.replace(self.low, self.high, new, typed)

    def backspace(self, by_word: bool = False) -> None:
        self._erase(-1, by_word)

    def delete(self, by_word: bool = False) -> None:
        self._erase(1, by_word)

    def replace(self, low: int, high: int, new: str, kind: str = "") -> None:
        """Replace text[low:high] as one undo step, leaving the caret after `new`."""
        new = self._clean(new)
        removed = self.text[low:high]
        if removed != new:
            self.history.add(Step(low, removed, new, self.caret, self.anchor, kind))
            self._put(low, removed, new)
        self.caret = self.anchor = low + len(new)

    def cut(self) -> str:
        """Remove the selection and return it."""
        cut = self.selected
        self.replace(self.low, self.high, "")
        return cut

    def undo(self) -> bool:
        """Take the last step back, with the selection as it was before it. False if there is none."""
        step = self.history.back()
        if step:
            self._put(step.at, step.inserted, step.removed)
            self.caret, self.anchor = step.caret, step.anchor
        return step is not None

    def redo(self) -> bool:
        """Do the last undone step again. False if there is none."""
        step = self.history.forth()
        if step:
            self._put(step.at, step.removed, step.inserted)
            self.caret = self.anchor = step.at + len(step.inserted)
        return step is not None

    def _erase(self, direction: int, by_word: bool) -> None:
        if self.low < self.high:
            self.replace(self.low, self.high, "")
            return
        to = self._beside(self.caret, direction, by_word)
        kind = "" if by_word else "back" if direction < 0 else "delete"
        self.replace(min(to, self.caret), max(to, self.caret), "", kind)

    def _beside(self, at: int, direction: int, by_word: bool) -> int:
        if by_word:
            return (stops.word_before if direction < 0 else stops.word_after)(self.text, at)
        return (stops.before if direction < 0 else stops.after)(self.text, at)

    def _put(self, at: int, removed: str, inserted: str) -> None:
        self.text = self.text[:at] + inserted + self.text[at + len(removed) :]
        if self.watch:
            self.watch(at, removed, inserted)

    def _clean(self, text: str) -> str:
        """One kind of line end; halves of surrogate pairs, which no file can hold, become one replacement mark."""
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if SURROGATE.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text.replace("\n", " ") if self.single else text


def checksum(text: str) -> int:
    return zlib.crc32(text.encode())
