"""What stands in for the system where an app is drawn from what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.desktop.app import App
from engine.open_work import Work, values_of


class Clipboard:
    """All that an editor needs of a system."""

    clipboard = ""


class Chosen:
    """All that Settings need of a system, as their rows tell it (`Settings.listed`)."""

    def __init__(self, rows: Sequence[str]) -> None:
        self._rows = list(rows)

    def preference(self, key: str) -> Any:
        return values_of(self._rows)[key]

    def known(self) -> list[str]:
        return self._rows


class Bare:
    """All that Paint needs of a system: there are no documents, for its picture is told."""

    def __init__(self) -> None:
        self.documents, self.contents = self, dict[str, Any]()

    def retitle(self, app: App, title: str) -> None:
        pass


class Listed:
    """All that Files need of a system, as their rows tell it (`Files.listed`)."""

    def __init__(self, work: Work) -> None:
        *names, (_, _, binned) = (row.partition("\t") for row in work.rows)
        self._listed = {work.page == "bin": [name for name, _, _ in names]}
        self._binned, self.documents = [""] * int(binned), self

    def names(self, binned: bool = False) -> list[str]:
        return self._listed.get(binned, self._binned)

    def focus(self, app: App, name: str) -> None:
        pass
