"""Run the whole test suite: set up what is missing, then pytest with the given arguments.

Without arguments it runs in several processes, one a core and four at most; in one where there is an NVIDIA GPU, which some tests fill.
With CI=true the checks of `scripts/check.py` run beside them.

With `--no-network` first among them, in a network namespace of its own (Linux): there is none but the loopback, over which two
training processes talk to each other. X servers tell by the network's own sockets which display numbers are taken, and would not
see those outside, so the folder where they leave their files is one of its own too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

import environment

NO_NETWORK = "--no-network"
MOST = 4  # processes: each holds up to 2 GB, and starts others
DISPLAYS = "/tmp/.X11-unix"
ALONE = f'ip link set lo up && mkdir -p {DISPLAYS} && mount -t tmpfs -o mode=1777 tmpfs {DISPLAYS} && exec "$@"'


def main() -> int:
    interpreter = str(environment.ready(tests=True))
    os.chdir(environment.ROOT)
    given = sys.argv[1:]
    before = without_network() if given[:1] == [NO_NETWORK] else []
    asked = given[bool(before) :]
    command = [*before, interpreter, "-m", "pytest", *(asked or in_several())]
    return checked(interpreter, command) if os.environ.get("CI") == "true" else environment.become(command)


def checked(interpreter: str, command: list[str]) -> int:
    """Run the tests, and beside them the checks, which are told of once they are over: a core of two waits for the other else."""
    with tempfile.TemporaryFile() as told:
        checks = subprocess.Popen([interpreter, "scripts/check.py"], stdout=told, stderr=subprocess.STDOUT)
        tests = subprocess.run(command).returncode
        code = checks.wait()
        told.seek(0)
        print(told.read().decode(errors="replace"), end="", flush=True)
    return tests or code


def in_several() -> list[str]:
    """pytest's words for several processes. Each computes with its share of the cores: threads that wait for one another on a core
    that is busy take ten times as long."""
    cores = os.cpu_count() or 1
    count = 1 if shutil.which("nvidia-smi") else min(cores, MOST)
    if count == 1:
        return []
    os.environ.setdefault("OMP_NUM_THREADS", str(cores // count))
    return ["-n", str(count), "--dist", "worksteal"]


def without_network() -> list[str]:
    """The words before a command that leave it nothing but the loopback. Ends the script with a message where that cannot be had."""
    words = [shutil.which("unshare") or "", "-rnm", "sh", "-c", ALONE, "sh"]
    if not words[0] or subprocess.run([*words, "true"], capture_output=True).returncode:
        environment.fail(f"{NO_NETWORK} needs Linux, unshare, mount and ip (packages util-linux, iproute2), and leave to make namespaces", 2)
    return words


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
