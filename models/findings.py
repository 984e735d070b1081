"""What looking a checkpoint over has found, row by row, for whoever wants to be told more than yes or no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

ROWS = ("structure", "links", "code", "templates", "pickles", "family", "settings", "sizes", "headers", "tensors", "finite", "frame")


@dataclass
class Findings:
    """told: what was found, by row; notes: what is ignored and why; refused: the row that a CheckpointError came from."""

    told: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    refused: str = ""

    def tell(self, row: str, what: str) -> None:
        self.told.setdefault(row, []).append(what)

    def note(self, what: str) -> None:
        self.notes.append(what)

    @contextmanager
    def trial(self) -> Iterator[Findings]:
        """Findings that become these where something is refused; where nothing is, all of it will be told again."""
        tried = Findings({name: list(found) for name, found in self.told.items()}, list(self.notes), self.refused)
        try:
            yield tried
        except Exception:
            self.told, self.notes, self.refused = tried.told, tried.notes, tried.refused
            raise

    @contextmanager
    def row(self, name: str) -> Iterator[None]:
        """What is raised inside is this row's."""
        try:
            yield
        except Exception:
            self.refused = self.refused or name
            raise
