"""Somebody at a desktop, for tests that use it as a user does: by pointer and by keyboard."""

from __future__ import annotations

import json
from typing import Any

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.drawing import Glyphs
from engine.events import Ask, Click, Down, Event, Key, Move, Text, Up, Wait, Wheel
from engine.scene import Widget, find

PAPERS = {"beta.md": "two words", "Alpha.txt": "one", "gamma.md": ""}


class User:
    """Somebody at a desktop: every act is an event, a twentieth of a second after the last."""

    def __init__(
        self, app: str = "", size: tuple[int, int] = (512, 384), text_size: int = 13, **contents: Any
    ) -> None:
        self.desktop = Desktop(size, Documents(contents.get("documents")))
        if text_size != 13:
            self.desktop.prefer("text_size", text_size)
        if app:
            self.does(Ask, app)

    def does(self, kind: type[Event], *values: Any, after: float = 0.05) -> None:
        self.desktop.handle(kind(round(self.desktop.t + after, 3), *values))

    def types(self, text: str) -> None:
        self.does(Text, text)

    def presses(self, *keys: str) -> None:
        """Keys, modifiers joined by plus: "ctrl+z"."""
        for key in keys:
            *mods, name = key.split("+") if len(key) > 1 else (key,)
            self.does(Key, name, tuple(mods))

    def clicks(self, target: str, times: int = 1) -> None:
        for i in range(times):
            self.does(Click, target, after=0.05 if i else 1.0)

    def drags(self, *points: tuple[int, int]) -> None:
        self.does(Down, "left", *points[0], after=1.0)
        for point in points[1:]:
            self.does(Move, *point)
        self.does(Up, "left", *points[-1])

    def turns_wheel(self, target: str, notches: int) -> None:
        self.does(Move, *self.sees(target).rect.centre)
        self.does(Wheel, notches)

    def right_clicks(self, target: str) -> None:
        x, y = self.sees(target).rect.centre
        self.does(Down, "right", x, y)
        self.does(Up, "right", x, y)

    def waits(self, seconds: float) -> None:
        self.does(Wait, after=seconds)

    def sees(self, target: str) -> Widget:
        return find(self.desktop.widgets, target)

    def names(self, role: str) -> list[str]:
        return [w.name for w in self.desktop.widgets if w.role == role and w.rect]

    @property
    def texts(self) -> list[str]:
        """Every line of text that is drawn, back to front."""
        return [item.text for item in self.desktop.items if isinstance(item, Glyphs)]

    @property
    def app(self) -> Any:
        return self.desktop.stack.front.app  # type: ignore[union-attr]

    @property
    def documents(self) -> Documents:
        return self.desktop.documents

    @property
    def notice(self) -> str:
        return self.sees("notice").text

    def comes_back(self) -> User:
        """The program was killed and started again: only JSON and the documents remain."""
        back = User(size=self.desktop.size)
        state = json.loads(json.dumps(self.desktop.state()))
        back.desktop = Desktop(self.desktop.size, Documents(self.documents.contents), state=state)
        return back
