"""Run the whole test suite: set up what is missing, then pytest with the given arguments."""

from __future__ import annotations

import os
import subprocess
import sys

import environment


def main() -> int:
    interpreter = str(environment.ready(tests=True))
    if os.environ.get("CI") == "true":
        checked = subprocess.run([interpreter, "scripts/check.py"], cwd=environment.ROOT).returncode
        if checked:
            return checked
    return subprocess.run([interpreter, "-m", "pytest", *sys.argv[1:]], cwd=environment.ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
