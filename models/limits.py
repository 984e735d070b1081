"""How much memory opening a checkpoint may take, held by the system itself where it can.

Linux counts a process's address space: past the limit an allocation fails and the checkpoint is refused; the limit is
lifted again before anything is painted, since a GPU's driver reserves far more than it uses. macOS does not keep to such
a limit and Windows has none for a process that is running: there the sizes in headers and configs, which are known
before memory is taken, are the bound, and on every system the parent ends a painter's process that does not open its
checkpoint in time (`engine.painter_process.Limits`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from engine.errors import CheckpointError, Shortage
from engine.opening import expecting

AHEAD = 8 * 2**30  # bytes: what the libraries and their threads reserve
TIMES = 4  # of the weights' size on disk: half precision becomes float32, and the largest tensor is there twice
REFUSED = ("allocate memory", "alloc_cpu", "out of memory")  # torch's words where memory runs out


@contextmanager
def limited_memory(*places: Path) -> Iterator[None]:
    """What is opened inside may take memory in proportion to the files of the folder or file, and of what may be opened with
    it. Raises CheckpointError where it takes more; Shortage where the machine has no more."""
    size = sum(weights_size(place) for place in places)
    asked, there = AHEAD + TIMES * size, max(psutil.virtual_memory().available, AHEAD)
    room = min(asked, there)
    before = _lowered(room)
    try:
        with expecting(size):
            yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in REFUSED):
            kind = Shortage if there < asked else CheckpointError  # the machine's fault, or the checkpoint's
            raise kind(
                f"{places[0]} asks for more memory than the {room >> 20} MB that it may take; close other programs, or get a clean copy"
            ) from error
        raise
    finally:
        _restore(before)


def weights_size(place: Path) -> int:
    """Bytes of a file, or of a folder's weights."""
    files = [place] if place.is_file() else [path for path in place.rglob("*.safetensors") if path.is_file()]
    return sum(path.stat().st_size for path in files)


def _lowered(room: int) -> tuple[int, int] | None:
    """Allow this process `room` bytes more than it has; what was allowed before, None where the system knows no limit."""
    if sys.platform != "linux":
        return None
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    wanted = psutil.Process().memory_info().vms + room
    bounds = [wanted, *(bound for bound in before if bound != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(bounds), before[1]))
    return before


def _restore(before: tuple[int, int] | None) -> None:
    if before is not None and sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, before)
