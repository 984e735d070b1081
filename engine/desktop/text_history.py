"""Undo and redo as small deltas: what was replaced where, and the selection before."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Any

STEPS, SIZE = 500, 1_000_000  # steps and characters kept in memory
KEPT_STEPS, KEPT_SIZE = 200, 100_000  # steps and characters kept in the state


@dataclass(slots=True)
class Step:
    """At offset `at`, `removed` became `inserted`. `kind`: type, back, delete, or "" for what never joins others."""

    at: int
    removed: str
    inserted: str
    caret: int
    anchor: int
    kind: str = ""

    @property
    def size(self) -> int:
        return len(self.removed) + len(self.inserted)

    def absorb(self, step: Step) -> bool:
        """Take a following step in, if the two are one stretch of typing or deleting within a word."""
        if not step.kind or step.kind != self.kind or "\n" in step.inserted + step.removed:
            return False
        if step.kind == "type":
            if step.removed or step.at != self.at + len(self.inserted) or _new_word(self.inserted, step.inserted):
                return False
            self.inserted += step.inserted
        elif step.kind == "back":
            if step.at + len(step.removed) != self.at or _new_word(self.removed[::-1], step.removed[::-1]):
                return False
            self.at, self.removed = step.at, step.removed + self.removed
        else:
            if step.at != self.at or _new_word(self.removed, step.removed):
                return False
            self.removed += step.removed
        return True


class History:
    """Steps done and steps undone, oldest first. `open` says whether the last one may still grow."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self.done = [Step(*step) for step in state.get("done", [])]
        self.undone = [Step(*step) for step in state.get("undone", [])]
        self.open: bool = state.get("open", False)
        self._size = sum(step.size for step in self.done)

    @property
    def deeds(self) -> tuple[bool, bool]:
        """Whether there is anything to undo, and to redo."""
        return bool(self.done), bool(self.undone)

    def add(self, step: Step) -> None:
        self.undone.clear()
        self._size += step.size
        if not (self.open and self.done and self.done[-1].absorb(step)):
            self.done.append(step)
        self.open = bool(step.kind)
        drop = 0
        while len(self.done) - drop > STEPS or (self._size > SIZE and len(self.done) - drop > 1):
            self._size -= self.done[drop].size
            drop += 1
        del self.done[:drop]

    def back(self) -> Step | None:
        """The step to undo."""
        self.open = False
        if not self.done:
            return None
        step = self.done.pop()
        self._size -= step.size
        self.undone.append(step)
        return step

    def forth(self) -> Step | None:
        """The step to do again."""
        self.open = False
        if not self.undone:
            return None
        step = self.undone.pop()
        self._size += step.size
        self.done.append(step)
        return step

    def state(self, steps: int = KEPT_STEPS, size: int = KEPT_SIZE) -> dict[str, Any]:
        """The newest steps as JSON values: at most `steps` of them, `size` characters in all."""
        done = _newest(self.done, steps, size)
        undone = _newest(self.undone, steps - len(done), size - sum(step.size for step in done))
        kept = {"done": [list(astuple(s)) for s in done], "undone": [list(astuple(s)) for s in undone]}
        return {**kept, "open": self.open and bool(done)}


def sound(state: dict[str, Any]) -> bool:
    """Whether saved steps have the form that `History` reads."""
    wanted = tuple({"int": int, "str": str}[str(field.type)] for field in fields(Step))
    steps = [*state.get("done", []), *state.get("undone", [])]
    return all(len(step) == len(wanted) and all(map(isinstance, step, wanted)) for step in steps)


def _newest(steps: list[Step], count: int, size: int) -> list[Step]:
    first = len(steps)
    while first and len(steps) - first < count and steps[first - 1].size <= size:
        first -= 1
        size -= steps[first].size
    return steps[first:]


def _new_word(done: str, more: str) -> bool:
    return bool(done and more) and done[-1].isspace() and not more[0].isspace()
