"""Calculator: exact decimal arithmetic on what is typed, with the usual precedence."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, ClassVar

from engine.desktop.app import App, System
from engine.desktop.arithmetic import ANSWER, ARITHMETIC, OPERATORS, Sum, shown
from engine.desktop.canvas import Canvas
from engine.errors import InputError
from engine.geometry import Rect
from engine.open_work import Work
from engine.scene import Touch
from engine.theme import Role
from engine.typeface import Face, line_height, width

LONGEST_ENTRY = 60
KEPT_RESULTS = 12
MESSAGE = "message"
WHOLE = DIVIDED, TOO_LARGE = "Cannot divide by zero", "Too large"  # what is said of a sum in which nothing is missing
TYPED = {"*": "×", "x": "×", "/": "÷", ":": "÷", "-": "−", ",": ".", "·": "×"}
TALL = (  # rows of keys; the last key is as wide as what is left
    ("C", "(", ")", "⌫"),
    ("7", "8", "9", "÷"),
    ("4", "5", "6", "×"),
    ("1", "2", "3", "−"),
    ("0", ".", "±", "+"),
    ("%", "="),
)
WIDE = (
    ("7", "8", "9", "÷", "(", ")"),
    ("4", "5", "6", "×", "C", "⌫"),
    ("1", "2", "3", "−", "±", "%"),
    ("0", ".", "+", "="),
)


class Calculator(App):
    """`entry` is what is typed, with ANSWER in place of the last result; `message` takes the display over."""

    name: ClassVar[str] = "Calculator"
    icon: ClassVar[str] = "calculator"
    size: ClassVar[tuple[int, int]] = (190, 240)
    least: ClassVar[tuple[int, int]] = (150, 190)
    first_focus: ClassVar[str] = "display"

    def __init__(self, system: System, state: dict[str, Any], **how: Any) -> None:
        super().__init__(system, state)
        self.entry: str = state.get("entry", "")
        self.answer = Decimal(state.get("answer", "0"))
        self.message: str = state.get("message", "")
        self.results: list[str] = list(state.get("results", []))  # "1+2 = 3", newest last

    def state(self) -> dict[str, Any]:
        return {
            "entry": self.entry,
            "answer": str(self.answer),
            "message": self.message,
            "results": list(self.results),
        }

    @property
    def display(self) -> str:
        return self.message or self.entry.replace(ANSWER, shown(self.answer)) or "0"

    def listed(self) -> list[str]:
        """The results that are kept, then what the display says, with a note if that is a message."""
        return [*self.results, f"{self.display}\t{MESSAGE if self.message else ''}"]

    @classmethod
    def told(cls, system: System, work: Work) -> Calculator:
        """One that shows the same, as its rows tell it (`listed`)."""
        *results, last = work.rows
        text, _, note = last.partition("\t")
        return cls(system, {"results": results, "message" if note else "entry": text})

    # Input

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        if mods == ("ctrl",) and key in ("c", "insert"):
            self._copy()
        elif mods == ("ctrl",) and key == "v":
            self._paste()
        elif set(mods) - {"shift"}:
            return False
        elif key in ("enter", "="):
            self._equals()
        elif key == "backspace":
            self._back()
        elif key in ("escape", "delete", "c"):
            self._clear()
        elif key == "n":
            self._negate()
        else:
            return self._type(key)
        return True

    def text(self, text: str) -> None:
        for char in text:
            if not self.key("enter" if char == "\n" else char.lower(), ()) and not char.isspace():
                self._refuse(char)

    def menu(self) -> list[tuple[str, Callable[[], None]]]:
        return [("Copy result", self._copy), ("Paste", self._paste), ("Clear history", self.results.clear)]

    def _press(self, label: str) -> None:
        action = {"C": self._clear, "⌫": self._back, "±": self._negate, "=": self._equals}.get(label)
        if action:
            action()
        else:
            self._type(label)

    def _type(self, char: str) -> bool:
        char = TYPED.get(char, char)
        if not _belongs(char):
            return False
        fresh = self.entry == ANSWER or self.message in WHOLE  # else what is missing can be put in
        self.message = ""
        if fresh and (char.isdecimal() or char in ".("):
            self.entry = ""
        if len(self.entry) < LONGEST_ENTRY and self._fits(char):
            self.entry += char
        return True

    def _fits(self, char: str) -> bool:
        """Whether `char` can come next; an operator takes the place of the one before it."""
        last = self.entry[-1:]
        number = re.search(r"[\d.]*$", self.entry)
        if char == ".":
            return "." not in (number.group() if number else "")
        if char == ")" and self.entry.count("(") <= self.entry.count(")"):
            return False
        if char in ")%":
            return bool(last) and last not in OPERATORS + "("
        if char in OPERATORS and (not last or last in OPERATORS + "("):
            if char == "−":
                return last != "−"
            if not last:
                self.entry = ANSWER
            elif last != "(":
                self.entry = self.entry.rstrip(OPERATORS)
            return self.entry[-1:] not in ("", "(")
        return True

    def _back(self) -> None:
        if self.message:
            self.message = ""
        else:
            self.entry = self.entry[:-1]

    def _clear(self) -> None:
        self.entry = self.message = ""

    def _negate(self) -> None:
        """Turn the sign of the number at the end."""
        self.message = ""
        if self.entry == ANSWER:
            self.answer = ARITHMETIC.minus(self.answer)
        elif bracketed := re.search(r"\(−([\d.]+)\)$", self.entry):
            self.entry = self.entry[: bracketed.start()] + bracketed[1]
        elif first := re.fullmatch(r"−([\d.]+)", self.entry):
            self.entry = first[1]
        elif number := re.search(r"[\d.]+$", self.entry):
            at = number.start()
            self.entry = f"−{number[0]}" if at == 0 else f"{self.entry[:at]}(−{number[0]})"

    def _equals(self) -> None:
        if not self.entry or self.message:
            return
        open_brackets = self.entry.count("(") - self.entry.count(")")
        sum_shown = self.display + ")" * open_brackets
        try:
            self.answer = Sum(self.entry, self.answer).value()
        except InputError as error:
            self.message = str(error)
        except (DivisionByZero, InvalidOperation):
            self.message = DIVIDED
        except Overflow:
            self.message = TOO_LARGE
        else:
            if self.entry != ANSWER:
                self.results = [*self.results, f"{sum_shown} = {shown(self.answer)}"][-KEPT_RESULTS:]
            self.entry = ANSWER

    def _copy(self) -> None:
        self.system.clipboard = self.display.replace("−", "-")
        self.system.say("Copied.")

    def _paste(self) -> None:
        """What can be no part of a sum is told of, and nothing is put in then: without it another sum would be left."""
        pasted = self.system.clipboard[:LONGEST_ENTRY]
        unknown = next((char for char in pasted if not char.isspace() and not _belongs(TYPED.get(char, char))), "")
        if unknown:
            self._refuse(unknown)
            return
        for char in pasted:
            self._type(char)

    def _refuse(self, char: str) -> None:
        self.system.say(f"There is no “{char}” in a sum here: digits, + − × ÷ % and brackets are.")

    # Drawing

    def draw(self, canvas: Canvas) -> None:
        display, keys = parted(canvas.rect, canvas.line)
        self._draw_display(canvas, display)
        self._draw_keys(canvas, keys)

    def _draw_keys(self, canvas: Canvas, area: Rect) -> None:
        rows, xs, ys, gap = keys_in(area)
        sizes = (n for n in range(canvas.face.size, 7, -1) if line_height(Face(n)) <= (area.h + gap) // len(rows) - gap)
        face = Face(next(sizes, 8))
        for labels, y, below in zip(rows, ys[:-1], ys[1:], strict=True):
            for column, label in enumerate(labels):
                x, beside = xs[column], xs[column + 1] if label != "=" else xs[-1]
                self._draw_key(canvas, label, Rect(x, y, beside - gap - x, below - gap - y), face)

    def _draw_key(self, canvas: Canvas, label: str, box: Rect, face: Face) -> None:
        # Not in the Tab order: the keyboard has all these keys, and Enter must mean "=" after a click too.
        primary = label == "="
        canvas.button(label, box, lambda: self._press(label), primary=primary, focusable=False, face=face)

    def _draw_display(self, canvas: Canvas, box: Rect) -> None:
        text = self.display
        touch = Touch(key=self.key, text=self.text, focusable=True, menu=self.menu)
        widget = canvas.widget("label", "display", box, touch, text)
        canvas.fill(box, Role.FIELD, "field")
        canvas.outline(box, Role.ACCENT if "focused" in widget.state else Role.BORDER, shape="field")
        inner = box.inset(8, 4, 8, 4)
        face = self._face_for(canvas, text, inner)
        number = Rect(inner.x, inner.bottom - line_height(face) - 1, inner.w, line_height(face))
        if width(face, text) > number.w:  # the end of a long sum is what is being typed
            text = _tail(face, text, number.w)
        canvas.text_in(number, text, Role.MUTED if self.message else Role.INK, face, "right")
        y = number.y - canvas.line
        for result in reversed(self.results):
            if y < inner.y:
                break
            canvas.text_in(Rect(inner.x, y, inner.w, canvas.line), result, Role.MUTED, align="right")
            y -= canvas.line

    def _face_for(self, canvas: Canvas, text: str, box: Rect) -> Face:
        """The largest face in which `text` fits the display."""
        room = box.h - canvas.line if box.h > 2 * canvas.line else box.h
        for size in range(canvas.face.size + 9, 8, -1):
            if width(Face(size), text) <= box.w and line_height(Face(size)) <= room:
                return Face(size)
        return Face(max(canvas.face.size - 2, 9))


def _tail(face: Face, text: str, room: int) -> str:
    """The end of `text`, with an ellipsis before it."""
    while text and width(face, "…" + text) > room:
        text = text[1:]
    return "…" + text


def parted(content: Rect, line: int) -> tuple[Rect, Rect]:
    """Where the display stands in what a window holds, and the keys, which share their part evenly; line: how high a line of text is."""
    area = content.inset(8, 8, 8, 8)
    head = min(max(line * 2 + 22, area.h * 3 // 10), area.h * 2 // 5)
    return area._replace(h=head), area.inset(0, head + 6, 0, 0)


def keys_in(area: Rect) -> tuple[tuple[tuple[str, ...], ...], list[int], list[int], int]:
    """The rows of keys that an area has room for, where their columns and their rows begin and one more of each would, and how many
    pixels there are between two."""
    gap = 4 if area.h > 90 else 2
    rows = TALL if (area.h + gap) // len(TALL) - gap >= 18 else WIDE
    xs, ys = (
        [begin + (length + gap) * i // count for i in range(count + 1)]
        for begin, length, count in ((area.x, area.w, len(rows[0])), (area.y, area.h, len(rows)))
    )
    return rows, xs, ys, gap


def _belongs(char: str) -> bool:
    """Whether it can be part of a sum."""
    return len(char) == 1 and char in "0123456789.()%" + OPERATORS
