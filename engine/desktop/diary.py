"""The diary: what the system did, line by line, for the Log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from engine.events import Event

LENGTH = 400  # lines kept


class Diary:
    """`lines` are the newest last."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self.lines: deque[str] = deque(lines, LENGTH)

    def took(self, event: Event) -> bool:
        """An event came in; whether there is a line of it. Mere moves of the pointer are left out, and what other programs copied,
        which may be a password."""
        if event.type in ("move", "clip"):
            return False
        what = getattr(event, "text", None) or getattr(event, "key", None) or getattr(event, "target", None) or ""
        where = f"{event.x}, {event.y}" if hasattr(event, "x") else ""  # type: ignore[attr-defined]
        self.lines.append(f"{event.t:8.1f}  {event.type:<6} {what}{where}")
        return True

    def note(self, t: float, kind: str, line: str) -> None:
        self.lines.append(f"{t:8.1f}  {kind:<6} {line}")
