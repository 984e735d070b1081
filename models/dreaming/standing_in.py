"""What stands in for the system where an app is drawn from what is told of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from engine.desktop.app import App
from engine.open_work import Work


class Clipboard:
    """All that an editor needs of a system."""

    clipboard = ""


class Chosen:
    """All that Settings need of a system, as their rows tell it (`Settings.listed`)."""

    def __init__(self, rows: Sequence[str]) -> None:
        self._rows = list(rows)

    def preference(self, key: str) -> Any:
        return values(self._rows)[key]

    def known(self) -> list[str]:
        return self._rows


def values(rows: Sequence[str]) -> dict[str, Any]:
    """What rows say of which each is a name and, behind a tab, a value in JSON."""
    return {name: json.loads(value) for name, _, value in (row.partition("\t") for row in rows)}


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
