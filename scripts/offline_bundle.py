"""Collect every wheel Pixel OS needs into `wheels/`, for a machine that never has a network.

Copy the whole folder of the project there, `wheels/` included: `scripts/run.py` installs from it. The wheels are for
this platform and this Python; --tests adds what the test suite needs.
"""

from __future__ import annotations

import sys

import environment


def main() -> int:
    tests = "--tests" in sys.argv[1:]
    folder = environment.ROOT / "wheels"
    interpreter = environment.ready(tests)
    environment.run(command(str(interpreter), str(folder), tests))
    count = len(list(folder.glob("*.whl")))
    environment.say(f"{count} wheels are in {folder}; copy the project's folder with them to the other machine")
    return 0


def command(interpreter: str, folder: str, tests: bool) -> list[str]:
    """Builds or downloads the wheels: of exactly the versions installed here, so that both machines are alike."""
    target = ".[test]" if tests else "."
    return [interpreter, "-m", "pip", "wheel", "--quiet", "--wheel-dir", folder, environment.TORCH, "setuptools>=77",
            "wheel", target]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
