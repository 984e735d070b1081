"""Makes `.venv` and installs Pixel OS into it. Standard library only: it runs before anything is installed.

The second time it only compares a stamp and starts. pip's own settings (PIP_* variables, its configuration file) hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch_build

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)
THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"


def python(venv: Path = VENV) -> Path:
    """The environment's interpreter."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ready(tests: bool) -> Path:
    """The interpreter of an environment in which everything is installed; makes what is missing.

    With `tests`, the tools of the test suite too. Ends the script with a message where that cannot be done.
    """
    if sys.version_info < OLDEST:
        fail(f"Python {sys.version.split()[0]} is too old: start this with Python 3.11 or newer", 2)
    keep_bytecode()
    stamp = VENV / "pixelos.stamp"
    found, wanted = read_stamp(stamp), fingerprint()
    if python().exists() and holds(found, wanted, tests):
        return python()
    version = usable_version()
    if version is None:
        say("making .venv")
        run([sys.executable, "-m", "venv", "--clear", str(VENV)])
        version = THIS
    tests = tests or bool(found.get("tests"))
    install(tests)
    stamp.write_text(json.dumps({"project": wanted, "tests": tests, "python": version}) + "\n")
    return python()


def keep_bytecode() -> None:
    """Have Python keep in `.venv` what it compiles, where the user wants none of it beside the sources: without, every process that
    takes torch in compiles four thousand modules anew, which takes ten seconds."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = str(VENV / "bytecode")


def project() -> dict[str, Any]:
    """pyproject.toml."""
    import tomllib  # not in Pythons that are too old, which are told so first

    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def requirement(name: str) -> str:
    """What pyproject.toml asks of the package `name`: "torch>=2.11,<2.14"."""
    asked = [*project()["build-system"]["requires"], *project()["project"]["dependencies"]]
    return next(line for line in asked if line.startswith(name))


def fingerprint() -> str:
    """Changes whenever something would have to be installed anew; the settings of lint and tests are not in it."""
    told = project()
    matters = [told["build-system"], told["project"], told.get("tool", {}).get("setuptools"), str(ROOT)]
    return hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()


def read_stamp(path: Path) -> dict[str, Any]:
    """What was installed last; {} where that is not known."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def holds(stamp: dict[str, Any], wanted: str, tests: bool) -> bool:
    """Whether a stamp says that all of it is installed, for a Python that is still the same."""
    if stamp.get("project") != wanted or (tests and not stamp.get("tests")):
        return False
    if stamp.get("python") == THIS:
        return True
    # Started with another Python: either the user has two, or the one under .venv was exchanged and .venv is void.
    return stamp.get("python") == usable_version()


def usable_version() -> str | None:
    """The version of `.venv`'s Python, "3.11"; None where it does not start, has no pip or is too old."""
    ask = "import sys, pip; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    try:
        told = subprocess.run([str(python()), "-c", ask], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    version = told.stdout.strip()
    fits = told.returncode == 0 and tuple(map(int, version.split("."))) >= OLDEST
    return version if fits else None


def install(tests: bool) -> None:
    """Install the project, editable, with what it needs; from `wheels/` without a network where that folder is.

    Without build isolation, so that doing it again with everything there needs no network either.
    """
    wheels = bundle()
    if wheels:
        say(f"installing from {wheels}, without a network")
        source, advice = ["--no-index", "--find-links", str(wheels)], bundle_advice(tests)
    else:
        source, advice = [], ""
    pip([*source, requirement("setuptools")], advice)
    if not wheels:
        install_torch()
        say("installing Pixel OS")
    pip([*source, "--no-build-isolation", "-e", ".[test]" if tests else "."], advice)


def install_torch() -> None:
    """Install the build of torch that fits the machine; leaves one that is there."""
    if torch_is_there():
        return
    card = torch_build.card()
    build = torch_build.fitting(card)
    if card and build == "cpu":
        say(f"PyTorch has no build for this GPU with driver {card.driver}: taking the CPU's; with a newer driver, remove .venv")
    asked = requirement("torch")
    options = index_options(build)
    say("installing PyTorch (the first time this takes some minutes)")
    if options and pip([asked, *options], advice=None) == 0:
        return
    if options:
        say("PyTorch's wheel index has no fitting wheel; going on with pip's own settings")
    pip([asked])


def torch_is_there() -> bool:
    folders = ("lib/*/site-packages", "Lib/site-packages")
    return any(found for folder in folders for found in VENV.glob(f"{folder}/torch-*.dist-info"))


def index_options(build: str) -> list[str]:
    """What to tell pip so that it takes `build`; [] for its own settings, said in a line where the index is away."""
    told = subprocess.run([str(python()), "-m", "pip", "config", "list"], capture_output=True, text=True)
    if not torch_build.wants_index(build, told.stdout.splitlines()):
        return []
    if not torch_build.reachable(build):
        say("PyTorch's wheel index cannot be reached; going on with pip's own settings")
        return []
    return ["--index-url", torch_build.INDEX + build, "--retries", "1"]


def bundle() -> Path | None:
    """The folder of wheels to install from, if there is one (`scripts/offline_bundle.py` makes it)."""
    folder = Path(os.environ.get("PIXELOS_WHEELS", ROOT / "wheels")).absolute()
    return folder if folder.is_dir() and any(folder.glob("*.whl")) else None


def bundle_advice(tests: bool) -> str:
    """What to do where the folder of wheels lacks something."""
    command = "scripts/offline_bundle.py --tests" if tests else "scripts/offline_bundle.py"
    return f"make the wheels anew with {command}, on a machine of this kind with Python {sys.version.split()[0]}"


def pip(arguments: Sequence[str], advice: str | None = "") -> int:
    """Install with `.venv`'s pip, with its progress on a terminal; see `run`. Python compiles what it takes in, at the first start: one
    module in four. To compile all of them took half of the whole time."""
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    return run([str(python()), "-m", "pip", "install", *arguments, "--no-compile", *quiet, "--disable-pip-version-check"], advice)


def run(command: Sequence[str], advice: str | None = "") -> int:
    """Run a command in the project's folder; its exit code.

    A failure ends the script with one line and `advice`; with None it is the caller's matter.
    """
    code = subprocess.run(command, cwd=ROOT).returncode
    if code and advice is not None:
        fail(f"this failed ({code}): {' '.join(command)}" + f"\npixelos: {advice}" * bool(advice))
    return code


def become(command: list[str]) -> int:
    """Go on as `command`, so that Ctrl-C and other signals are its own; where a process cannot, wait for it."""
    if os.name != "nt":
        sys.stdout.flush()
        os.execv(command[0], command)
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the command got it as well, and ends in its own time


def say(line: str) -> None:
    print(f"pixelos: {line}", flush=True)


def fail(line: str, code: int = 1) -> NoReturn:
    print(f"pixelos: {line}", file=sys.stderr)
    raise SystemExit(code)
