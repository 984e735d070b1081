"""`pixelos doctor`: what this machine has, what is wrong, and the command that mends it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.checkpoint_notes import CheckpointNotes
from engine.errors import PixelOSError
from engine.typeface import font_folder

NEEDED_GB = 1.0
PIP = f"{sys.executable} -m pip"
AGAIN = "remove .venv and run: python3 scripts/run.py"
LESS = "close other programs, or: pixelos run --size WIDTHxHEIGHT with a smaller one"
ELSEWHERE = "give another folder: pixelos run --profile DIR"


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
    from engine.paths import path_said
    from engine.profile import default_folder

    folder = path_said(profile or default_folder()).absolute()
    findings = [*_machine(machine), _display(), _pygame(), _fonts(), _disk(folder), _profile(folder)]
    return findings + _checkpoints(folder, checkpoints)


def _checkpoints(folder: Path, checkpoints: Callable[[str], list[Any]]) -> list[Finding]:
    try:
        verdicts = [verdict for verdict in checkpoints(str(folder)) if verdict.family != "guide"]
    except (ImportError, OSError, PixelOSError) as error:
        return [Finding("checkpoint", f"cannot be looked at: {error}", "stops", AGAIN)]
    findings, notes = [], CheckpointNotes(folder)
    for verdict in verdicts:
        bundled = verdict.name == "bundled"
        if verdict.loadable:
            digest = f"SHA-256 {verdict.sha256}, " if verdict.sha256 else ""
            told = f"{verdict.name}: {digest}{verdict.file_mb} MB"
            findings.append(Finding("checkpoint", told + (f"; {verdict.plan}" if verdict.plan else "")))
            if (short := notes.short(verdict.name)) is not None:
                gave_up = f"memory ran short on {short.when}: {'; '.join(short.gave_up)}"
                findings.append(Finding("memory", f"{verdict.name}: {gave_up} ({short.plan})", "limits", LESS))
        else:
            removed = f"pixelos models remove {verdict.name}" if verdict.place == "profile" else f"leave it, or remove {verdict.path}"
            mend = "git checkout -- models/bundled" if bundled else removed
            findings.append(Finding("checkpoint", f"{verdict.name}: {verdict.why}", "stops" if bundled else "limits", mend))
    return findings


def _machine(machine: Callable[[], dict[str, Any]]) -> list[Finding]:
    try:
        facts = machine()
    except (ImportError, OSError) as error:  # OSError: a torch whose own libraries cannot be loaded
        what = (getattr(error, "name", None) or "torch").partition(".")[0]
        return [Finding(what, f"cannot be imported: {error}", "stops", AGAIN)]
    found = [
        Finding("system", f"{facts['system']}, Python {facts['python']}"),
        Finding("processor", f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gb']} GB memory"),
        Finding("torch", f"{facts['torch']}, " + (f"CUDA {facts['cuda']}" if facts["cuda"] else "CPU build")),
        *(_gpu(gpu, facts) for gpu in facts["gpus"]),
    ]
    if not facts["gpus"]:
        found.append(Finding("GPU", "no NVIDIA GPU with a driver: painting runs on the CPU"))
    return found


def _gpu(gpu: dict[str, Any], facts: dict[str, Any]) -> Finding:
    told = f"{gpu['name']}, driver {gpu['driver']}, {gpu['vram_free_gb']} of {gpu['vram_gb']} GB free"
    if facts["cuda_usable"]:
        return Finding("GPU", told)
    why = f"its driver is too old for CUDA {facts['cuda']}" if facts["cuda"] else "this torch build cannot use it"
    mend = "install the newest driver, then " if facts["cuda"] else ""
    return Finding("GPU", f"{told}; {why}", "limits", mend + AGAIN)


def _display() -> Finding:
    if not sys.platform.startswith("linux"):
        return Finding("display", "the system's own")
    named = [name for name in ("WAYLAND_DISPLAY", "DISPLAY", "SDL_VIDEODRIVER") if os.environ.get(name)]
    elsewhere = "start it in a desktop session, or: pixelos replay ui/demo.jsonl --out runs/demo"
    if not named:
        return Finding("display", "none: no window, but replay, bench and eval work", "limits", elsewhere)
    if why := _unanswered():
        return Finding("display", f"{why}: no window, but replay, bench and eval work", "limits",
                       f"name the one that is there, such as: DISPLAY=:0 pixelos run; {elsewhere}")  # fmt: skip
    return Finding("display", f"{named[0]}={os.environ[named[0]]}")


def _unanswered() -> str:
    """Why no window can be opened at the display that is named; "" where pygame is not there to ask it."""
    try:
        from ui.display import without_display
    except ImportError:
        return ""
    return without_display()


def _pygame() -> Finding:
    both = [name for name in ("pygame", "pygame-ce") if _version(name)]
    if len(both) == 2:
        return Finding("pygame", "pygame and pygame-ce are both installed and overwrite each other", "limits",
                       f"{PIP} uninstall -y pygame pygame-ce && {PIP} install pygame-ce")  # fmt: skip
    if not both:
        return Finding("pygame", "not installed: no window", "limits", f"{PIP} install pygame-ce")
    return Finding("pygame", f"{both[0]} {_version(both[0])}")


def _fonts() -> Finding:
    try:
        return Finding("fonts", str(font_folder()))
    except PixelOSError as error:
        return Finding("fonts", str(error), "stops", f"{PIP} install --force-reinstall matplotlib")


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that exists and can be seen."""
    return next((p for p in (folder, *folder.parents) if os.path.exists(p)), Path.cwd())


def _disk(folder: Path) -> Finding:
    nearest = _nearest(folder)
    free = shutil.disk_usage(nearest).free / 2**30
    told = f"{free:.1f} GB free at {nearest}"
    return Finding("disk", told, "limits", f"make room, or {ELSEWHERE}") if free < NEEDED_GB else Finding("disk", told)


def _profile(folder: Path) -> Finding:
    nearest = _nearest(folder)
    if not nearest.is_dir():
        return Finding("profile", f"{folder}: {nearest} is a file", "limits", ELSEWHERE)
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:  # asking for permissions says too little on Windows
            file.write(b"a full disk shows here")
    except OSError as error:
        return Finding("profile", f"{folder} cannot be written: {error.strerror}", "limits", ELSEWHERE)
    return Finding("profile", f"{folder}{'' if folder.exists() else ' (made at the first start)'}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
