"""Open files that hold one part of a checkpoint together, read one after the other as if they were one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import CheckpointError
from models.safetensors_file import Digest, SafetensorsFile

if TYPE_CHECKING:
    from models.gguf_file import GgufFile

Naming = Callable[[str], str]


class Joined(SafetensorsFile):
    """Files as one, whatever the format of each: nobody asks it for more than a safetensors file and a GGUF file have in common."""

    def __init__(self, path: Path, files: Sequence[tuple[Naming, SafetensorsFile | GgufFile]]) -> None:
        """path: what messages call them together; files: each after how a tensor of it is called here, given its name there.
        Raises CheckpointError where two tensors would be called the same."""
        self.path, self.metadata, self.entries = path, {}, {}
        self._files, self._paths = files, dict[str, Path]()
        for naming, file in files:
            for name, entry in file.entries.items():
                called = naming(name)
                if called in self.entries:
                    raise CheckpointError(f"{file.path}: the tensor {name} is in {self._paths[called].name} too; get a clean copy of both")
                self.entries[called], self._paths[called] = entry, file.path  # type: ignore[assignment]

    def holder(self, name: str) -> Path:
        return self._paths[name]

    def tensors(self, digest: Digest, read: Mapping[str, Any] | None = None) -> Iterator[tuple[str, Any]]:
        """As of each of them."""
        for naming, file in self._files:
            for name, tensor in file.tensors(digest, read):
                yield naming(name), tensor
