"""Start Pixel OS: set up what is missing, then `pixelos` with the given arguments (none means `run`)."""

from __future__ import annotations

import os
import subprocess
import sys

import environment


def main() -> int:
    arguments = sys.argv[1:]
    interpreter = environment.ready(tests=False)
    if not arguments and not has_display(os.environ, sys.platform):
        environment.say("there is no display: playing the demo without a window, see demo.png and demo.gif")
        return subprocess.run([str(interpreter), str(environment.ROOT / "scripts" / "demo.py")]).returncode
    try:
        return subprocess.run([str(interpreter), "-m", "ui.cli", *(arguments or ["run"])]).returncode
    except KeyboardInterrupt:
        return 130


def has_display(environ: os._Environ[str] | dict[str, str], platform: str) -> bool:
    """Whether a window can be opened: always so outside Linux, else if a display server is named."""
    if not platform.startswith("linux"):
        return True
    return any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))


if __name__ == "__main__":
    sys.exit(main())
