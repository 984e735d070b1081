"""The profile: the one folder that holds everything a user has.

    settings.toml  journal.sqlite  lock
    documents/  checkpoints/  loras/  embeddings/  vae/  text_encoders/  controlnets/  captures/

Copying it moves everything, deleting it resets everything.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

from engine.durable import clear_temporaries
from engine.errors import ProfileError
from engine.paths import path_said

HOME_VARIABLE = "PIXELOS_HOME"
FOLDERS = ("documents", "checkpoints", "loras", "embeddings", "vae", "text_encoders", "controlnets", "captures")

# What a lock held by another process answers with.
_HELD = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}


def default_folder() -> Path:
    """Where it is when the command line names none: PIXELOS_HOME, else the platform's data folder."""
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home)
    import platformdirs

    return platformdirs.user_data_path("pixelos", appauthor=False)


class Profile:
    """An open profile: its folders exist, can be written, and are this process's alone until `close`.

    The lock is the kernel's, on the open file: it goes when the process does, however that ends.
    """

    def __init__(self, folder: Path, lock: IO[bytes]) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def open(cls, folder: Path | None = None) -> Profile:
        """Open `folder`, or the default one, making what is missing.

        Raises ProfileError if it is not a folder, cannot be written, or is open in another Pixel OS.
        """
        folder = path_said(folder or default_folder(), ProfileError).absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in FOLDERS:
                (folder / name).mkdir(exist_ok=True)
            lock = open(folder / "lock", "a+b")  # noqa: SIM115 - held until `close`
        except (FileExistsError, NotADirectoryError) as error:
            raise ProfileError(
                f"the profile {folder} cannot be used: {error.filename} is not a folder; "
                "give another --profile"
            ) from error
        except OSError as error:
            raise ProfileError(
                f"the profile {folder} cannot be written ({error.strerror}); "
                "make it writable, or give another --profile"
            ) from error
        try:
            lock_file(lock)
        except OSError as error:
            lock.close()
            if error.errno in _HELD:
                raise ProfileError(
                    f"the profile {folder} is already open in another Pixel OS; "
                    "close it or give another --profile"
                ) from error
            raise ProfileError(
                f"the profile {folder} cannot be locked ({error.strerror}); "
                "give a --profile on a disk that can lock files"
            ) from error
        clear_temporaries(folder)
        return cls(folder, lock)

    @property
    def settings_path(self) -> Path:
        return self.folder / "settings.toml"

    @property
    def journal_path(self) -> Path:
        return self.folder / "journal.sqlite"

    @property
    def documents(self) -> Path:
        return self.folder / "documents"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def loras(self) -> Path:
        return self.folder / "loras"

    @property
    def captures(self) -> Path:
        return self.folder / "captures"

    def close(self) -> None:
        """Let another process have it. May be called twice."""
        self._lock.close()

    def __enter__(self) -> Profile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def lock_file(file: IO[bytes]) -> None:
    """Take the file for this process. Raises OSError at once if another has it."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
