"""Run the whole test suite: set up what is missing, then pytest with the given arguments.

With `--no-network` first among them, in a network namespace of its own (Linux): there is none but the loopback, over which two
training processes talk to each other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import environment

NO_NETWORK = "--no-network"


def main() -> int:
    interpreter = str(environment.ready(tests=True))
    os.chdir(environment.ROOT)
    if os.environ.get("CI") == "true":
        checked = subprocess.run([interpreter, "scripts/check.py"]).returncode
        if checked:
            return checked
    given = sys.argv[1:]
    before = without_network() if given[:1] == [NO_NETWORK] else []
    return environment.become([*before, interpreter, "-m", "pytest", *given[bool(before) :]])


def without_network() -> list[str]:
    """The words before a command that leave it nothing but the loopback. Ends the script with a message where that cannot be had."""
    words = [shutil.which("unshare") or "", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if not words[0] or subprocess.run([*words, "true"], capture_output=True).returncode:
        environment.fail(f"{NO_NETWORK} needs Linux, unshare and ip (packages util-linux, iproute2), and leave to make a network namespace", 2)
    return words


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
