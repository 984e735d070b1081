"""Start Pixel OS: set up what is missing, then `pixelos` with the given arguments (none means `run`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import environment


def main() -> int:
    arguments = sys.argv[1:]
    interpreter = str(environment.ready(tests=False))
    if not arguments and not has_display(os.environ, sys.platform):
        environment.say("there is no display: playing the demo without a window, see demo.png and demo.gif")
        return environment.become([interpreter, str(environment.ROOT / "scripts" / "demo.py")])
    # -P: a folder called "ui" where the user happens to be is not ours
    return environment.become([interpreter, "-P", "-m", "ui.cli", *(arguments or ["run"])])


def has_display(environ: Mapping[str, str], platform: str) -> bool:
    """Whether a window can be opened: always so outside Linux, else if a display server is named."""
    if not platform.startswith("linux"):
        return True
    return any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
