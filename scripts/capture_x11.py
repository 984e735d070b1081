"""Drives a program under X11 by a list of events and records what it shows: a recording to train on.

`python scripts/capture_x11.py --events clicks.jsonl --out my/recording --window xcalc` captures the window of that
name on $DISPLAY: a frame before anything happens, then one after every event. Events are a trace's own (`move`,
`down`, `up`, `wheel`, `key`, `text`, `wait`), coordinates in the window. Needs xdotool.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from PIL import Image, ImageGrab  # noqa: E402

from engine.errors import InputError, PixelOSError  # noqa: E402
from engine.events import Down, Event, Key, Move, Text, Up, Wheel, as_record, from_record  # noqa: E402
from engine.geometry import Rect  # noqa: E402
from models.datasets.recording_source import nearest_preset  # noqa: E402

BUTTONS = {"left": "1", "middle": "2", "right": "3"}
KEYS = {
    "enter": "Return", "escape": "Escape", "tab": "Tab", "space": "space", "backspace": "BackSpace", "delete": "Delete",
    "insert": "Insert", "left": "Left", "right": "Right", "up": "Up", "down": "Down", "home": "Home", "end": "End",
    "pageup": "Prior", "pagedown": "Next",
}  # fmt: skip
SETTLED = 0.15  # seconds of an unchanged picture after which an event counts as answered
PATIENCE = 3.0  # seconds after which a picture that never rests is taken as it is


class X11Window:
    """One program's window on an X server, to be driven and looked at. Raises InputError where there is none."""

    def __init__(self, name: str, display: str) -> None:
        self._display = display
        self._tool = shutil.which("xdotool") or ""
        if not self._tool:
            raise InputError("xdotool is missing; install it (Debian: apt-get install xdotool)")
        self._id = self._find(name)
        told = dict(line.split("=") for line in self._run("getwindowgeometry", "--shell", self._id).split())
        self.rect = Rect(int(told["X"]), int(told["Y"]), int(told["WIDTH"]), int(told["HEIGHT"]))

    def photo(self) -> Image.Image:
        """What the window shows, RGB."""
        screen = ImageGrab.grab(xdisplay=self._display).convert("RGB")
        return screen.crop((self.rect.x, self.rect.y, self.rect.right, self.rect.bottom))

    def settled(self) -> Image.Image:
        """What the window shows once nothing moves any more."""
        end = time.monotonic() + PATIENCE
        last = self.photo()
        while True:
            time.sleep(SETTLED)
            now = self.photo()
            if now.tobytes() == last.tobytes() or time.monotonic() > end:
                return now
            last = now

    def do(self, event: Event) -> None:
        """Let an event happen in the window, the pointer and the keyboard being real to the program."""
        if isinstance(event, (Move, Down, Up)):
            x, y = event.x + self.rect.x, event.y + self.rect.y
            self._run("mousemove", str(x), str(y))
        if isinstance(event, Down):
            self._run("mousedown", BUTTONS[event.button])
        elif isinstance(event, Up):
            self._run("mouseup", BUTTONS[event.button])
        elif isinstance(event, Wheel):
            self._run("click", "--repeat", str(abs(event.dy)), "4" if event.dy > 0 else "5")
        elif isinstance(event, Key):
            self._run("key", "+".join([*(m.replace("meta", "super") for m in event.mods), KEYS.get(event.key, event.key)]))
        elif isinstance(event, Text):
            self._run("type", "--", event.text)

    def _find(self, name: str) -> str:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = self._run("search", "--onlyvisible", "--name", name, may_fail=True).split()
            if found:
                return found[-1]
            time.sleep(0.1)
        raise InputError(f"there is no window named {name!r} on {self._display}; start the program first")

    def _run(self, *arguments: str, may_fail: bool = False) -> str:
        environ = {**os.environ, "DISPLAY": self._display}
        told = subprocess.run([self._tool, *arguments], env=environ, capture_output=True, text=True)
        if told.returncode and not may_fail:
            raise PixelOSError(f"xdotool {' '.join(arguments)} failed: {told.stderr.strip()}")
        return told.stdout


def capture(window: X11Window, events: Iterable[Event], out: Path) -> tuple[int, str]:
    """Let the events happen one by one; write a frame after each, and the log. How many frames there are, and the named style that
    they are nearest to: they are learned in it."""
    if out.exists() and any(out.iterdir()):
        raise InputError(f"--out {out} is not empty; give a new folder")
    (out / "frames").mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    first = window.settled()
    style = nearest_preset(np.asarray(first))
    header = {"pixelos_recording": 1, "size": [window.rect.w, window.rect.h], "style": style}
    frames = 0
    with open(out / "events.jsonl", "x", encoding="utf-8") as log:
        log.write(json.dumps(header) + "\n")
        for event in (None, *events):
            if event is not None:
                window.do(event)
            (first if event is None else window.settled()).save(out / "frames" / f"{frames:06d}.png")
            t = round(time.monotonic() - began, 3)
            told = [] if event is None else [{**as_record(event), "t": t}]
            log.write(json.dumps({"frame": frames, "t": t, "events": told}, ensure_ascii=False) + "\n")
            log.flush()
            frames += 1
    return frames, style


def read_events(path: Path) -> Iterator[Event]:
    """The events of a JSON Lines file, a trace or a plain list of them; a text comes letter by letter."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        record: dict[str, Any] = json.loads(line) if line.strip() else {}
        if not record or "pixelos_trace" in record:
            continue
        try:
            event = from_record({"t": 0.0, **record})
        except InputError as error:
            raise InputError(f"line {number} of {path}: {error}") from error
        yield from [Text(event.t, char) for char in event.text] if isinstance(event, Text) else [event]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--window", required=True, help="part of the window's name")
    parser.add_argument("--events", required=True, type=Path, help="what to do, JSON Lines")
    parser.add_argument("--out", required=True, type=Path, help="where the recording goes")
    parser.add_argument("--display", default=os.environ.get("DISPLAY", ":0"))
    given = parser.parse_args()
    try:
        frames, style = capture(X11Window(given.window, given.display), read_events(given.events), given.out)
    except (PixelOSError, OSError, ValueError) as error:
        print(f"capture: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    print(f"{frames} frames are in {given.out}; the named style nearest to them is {style}: they are learned in it, and --style {style} goes on in it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
