"""`pixelos doctor`: what this machine has, what is wrong, and the command that mends it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.errors import PixelOSError
from engine.typeface import font_folder

NEEDED_GB = 1.0


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what is so; wrong: whether it stops Pixel OS or only limits it; mend: a command."""

    what: str
    is_so: str
    wrong: str = ""  # "", "limits" or "stops"
    mend: str = ""


def run(
    profile: Path | None, as_json: bool, machine: Callable[[], dict[str, Any]], checkpoints: Callable[[str], list[Any]]
) -> int:
    """Print the findings; 0 if Pixel OS can run at all, without a window included, else 1.

    machine and checkpoints are asked for torch's and the models' facts: this module knows neither.
    """
    findings = diagnose(profile, machine, checkpoints)
    if as_json:
        print(json.dumps([asdict(f) for f in findings], indent=1))
    else:
        signs = {"": "ok  ", "limits": "note", "stops": "BAD "}
        for finding in findings:
            print(f"{signs[finding.wrong]}  {finding.what:<12} {finding.is_so}")
            if finding.mend:
                print(f"      {'':<12} mend: {finding.mend}")
    return int(any(f.wrong == "stops" for f in findings))


def diagnose(
    profile: Path | None, machine: Callable[[], dict[str, Any]], checkpoints: Callable[[str], list[Any]]
) -> list[Finding]:
    """Everything worth knowing, each with what mends it."""
    from engine.profile import default_folder

    folder = (profile or default_folder()).expanduser().absolute()
    findings = [*_machine(machine), _display(), _pygame(), _fonts(), _disk(folder), _profile(folder)]
    for verdict in checkpoints(str(folder)):
        if verdict.family == "guide":
            continue
        bundled = verdict.name == "bundled"
        wrong = "" if verdict.loadable else "stops" if bundled else "limits"
        told = f"SHA-256 {verdict.sha256}, {verdict.file_mb} MB" if verdict.loadable else verdict.why
        mend = "pip install --force-reinstall --no-deps -e ." if wrong and bundled else ""
        findings.append(Finding("checkpoint", f"{verdict.name}: {told}", wrong, mend))
    return findings


def _machine(machine: Callable[[], dict[str, Any]]) -> list[Finding]:
    try:
        facts = machine()
    except ImportError as error:
        return [Finding("torch", f"cannot be imported: {error}", "stops", 'pip install "torch>=2.11,<2.14"')]
    found = [
        Finding("system", f"{facts['system']}, Python {facts['python']}"),
        Finding("processor", f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gb']} GB memory"),
        Finding("torch", f"{facts['torch']}, " + (f"CUDA {facts['cuda']}" if facts["cuda"] else "CPU build")),
    ]
    for gpu in facts["gpus"]:
        told = f"{gpu['name']}, driver {gpu['driver']}, {gpu['vram_free_gb']} of {gpu['vram_gb']} GB free"
        idle = not facts["cuda"]
        mend = "remove .venv and run: python3 scripts/run.py" if idle else ""
        told += "; this torch build cannot use it" * idle
        found.append(Finding("GPU", told, "limits" if idle else "", mend))
    if not facts["gpus"]:
        found.append(Finding("GPU", "no NVIDIA GPU with a driver: painting runs on the CPU"))
    return found


def _display() -> Finding:
    if not sys.platform.startswith("linux"):
        return Finding("display", "the system's own")
    for name in ("WAYLAND_DISPLAY", "DISPLAY", "SDL_VIDEODRIVER"):
        if os.environ.get(name):
            return Finding("display", f"{name}={os.environ[name]}")
    return Finding("display", "none: no window, but replay, bench and eval work", "limits", "start it in a desktop session")


def _pygame() -> Finding:
    both = [name for name in ("pygame", "pygame-ce") if _version(name)]
    if len(both) == 2:
        return Finding("pygame", "pygame and pygame-ce are both installed and overwrite each other", "limits",
                       "pip uninstall -y pygame pygame-ce && pip install pygame-ce")  # fmt: skip
    if not both:
        return Finding("pygame", "not installed: no window", "limits", "pip install pygame-ce")
    return Finding("pygame", f"{both[0]} {_version(both[0])}")


def _fonts() -> Finding:
    try:
        return Finding("fonts", str(font_folder()))
    except PixelOSError as error:
        return Finding("fonts", str(error), "stops", "pip install matplotlib")


def _disk(folder: Path) -> Finding:
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(nearest).free / 2**30
    short = free < NEEDED_GB
    return Finding("disk", f"{free:.1f} GB free at {nearest}", "limits" if short else "", "make room" if short else "")


def _profile(folder: Path) -> Finding:
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    if not nearest.is_dir():
        return Finding("profile", f"{folder}: {nearest} is a file", "limits", "give another folder with --profile DIR")
    if not os.access(nearest, os.W_OK):
        return Finding("profile", f"{folder} cannot be written", "limits", "give another folder with --profile DIR")
    return Finding("profile", f"{folder}{'' if folder.exists() else ' (made at the first start)'}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
