"""Run the whole test suite: set up what is missing, then pytest with the given arguments."""

from __future__ import annotations

import os
import subprocess
import sys

import environment


def main() -> int:
    interpreter = str(environment.ready(tests=True))
    os.chdir(environment.ROOT)
    if os.environ.get("CI") == "true":
        checked = subprocess.run([interpreter, "scripts/check.py"]).returncode
        if checked:
            return checked
    return environment.become([interpreter, "-m", "pytest", *sys.argv[1:]])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
