"""Pictures brought into the window: files dropped on it, and what the clipboard holds."""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from PIL import ImageGrab

from engine.desktop.turning import read_picture
from engine.errors import InputError
from engine.events import Drop

LARGEST = 40_000_000  # bytes of a file that is looked at at all
WEIGHTS = (".safetensors", ".gguf", ".ckpt", ".pt", ".pth")  # how checkpoints' files end
KINDS = ("image/png", "image/jpeg", "image/bmp")  # what a clipboard calls pictures
TOOLS = {  # by the variable that says which display server there is: what reads its clipboard, but for the kind
    "WAYLAND_DISPLAY": ["wl-paste", "--no-newline", "--type"], "DISPLAY": ["xclip", "-selection", "clipboard", "-out", "-target"],
}  # fmt: skip
INSTALL = {"wl-paste": "Debian: apt-get install wl-clipboard", "xclip": "Debian: apt-get install xclip"}
PATIENCE_S = 1.0


def dropped(file: str, size: tuple[int, int], t: float) -> Drop:
    """A file as an event. Raises InputError where it is no picture, or too large a one."""
    path = Path(file)
    try:
        if path.suffix.casefold() in WEIGHTS or (path / "model_index.json").is_file():
            raise InputError(f"{path.name} is no picture; to paint with it, put it into the profile's checkpoints folder, or: pixelos models add {path}")
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise InputError(f"{path.name} is no file, or larger than {LARGEST // 1_000_000} MB; drop a picture")
        with open(path, "rb") as opened:
            data = opened.read(LARGEST)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}") from error
    return _event(path.name, data, size, t)


def clipboard_picture(size: tuple[int, int], t: float) -> Drop:
    """The clipboard's picture as an event. Raises InputError where it holds none, or nothing here can read it."""
    data = _from_tool() if sys.platform == "linux" else _from_system()
    if isinstance(data, str):
        return dropped(data, size, t)
    if not data:
        raise InputError("the clipboard holds no picture here; drop a picture file on the window instead")
    return _event("Pasted", data, size, t)


def _from_tool() -> bytes:
    """On Linux: SDL's clipboard is for text alone, so the system's own tool is asked, and never waited for."""
    told = next((told for variable, told in TOOLS.items() if os.environ.get(variable)), None)
    if told is None:
        return b""
    if shutil.which(told[0]) is None:
        raise InputError(f"pasting a picture takes {told[0]}; install it ({INSTALL[told[0]]}), or drop a picture file on the window instead")
    for kind in KINDS:
        with suppress(OSError, subprocess.TimeoutExpired):  # who holds the clipboard need not answer; it may be this window
            found = subprocess.run([*told, kind], capture_output=True, timeout=PATIENCE_S)
            if found.returncode == 0 and found.stdout:
                return found.stdout
    return b""


def _from_system() -> bytes | str:
    """On Windows and macOS, where Pillow knows how; of copied files the path of the first. Nothing where another program holds
    the clipboard, or Pillow does not know how: both are as if there were no picture."""
    try:
        found = ImageGrab.grabclipboard()
        if isinstance(found, list):
            return str(found[0])
        if found is None:
            return b""
        out = io.BytesIO()
        found.save(out, "PNG")
        return out.getvalue()
    except (OSError, ValueError, NotImplementedError):
        return b""


def _event(name: str, data: bytes, size: tuple[int, int], t: float) -> Drop:
    stem = name.rpartition(".")[0] or name
    return Drop(t, f"{stem}.png", base64.b64encode(read_picture(name, data, size)).decode("ascii"))
