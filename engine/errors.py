"""Every error a user can meet.

    PixelOSError          something failed while running (exit code 1)
    └── InputError        what was given is wrong (exit code 2)
        ├── TraceError    a trace that cannot be read or played; names the line
        ├── SizeError     a frame size that is not on the grid
        ├── ProfileError  a profile that cannot be opened or written
        └── CheckpointError  a checkpoint that is missing, unsafe, incomplete or of no known family
            └── Shortage  a checkpoint that needs more memory than there is, whatever it gives up

A message is one line or two: what happened, to which file or value, and the next thing to do.
"""


class PixelOSError(Exception):
    """Something failed while running."""

    exit_code = 1


class InputError(PixelOSError):
    """What was given is wrong."""

    exit_code = 2


class TraceError(InputError):
    """A trace cannot be read or played.

    `line` is the 1-based line of the trace, 0 where no single line is to blame.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


class SizeError(InputError):
    """A frame size is not on the grid."""


class ProfileError(InputError):
    """The profile folder cannot be opened or written, or is in use."""


class CheckpointError(InputError):
    """A checkpoint is missing, unsafe, incomplete or of no known family."""


class Shortage(CheckpointError):
    """A checkpoint needs more memory than there is, whatever it gives up."""
