"""Makes `.venv` and installs Pixel OS into it. Standard library only: it runs before anything is installed.

The second time it only compares a stamp and starts. pip's own settings (PIP_* variables, its configuration file) hold.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TORCH = "torch>=2.11,<2.14"
INDEXES = {"cpu": "https://download.pytorch.org/whl/cpu", "cuda": "https://download.pytorch.org/whl/cu128"}
INDEX_HOST = ("download.pytorch.org", 443)
PATIENCE = 4.0  # seconds the index may take to answer


def python(venv: Path = VENV) -> Path:
    """The environment's interpreter."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ready(tests: bool) -> Path:
    """The interpreter of an environment in which everything is installed; makes what is missing."""
    stamp = VENV / "pixelos.stamp"
    wanted = fingerprint(tests)
    if python().exists() and stamp.exists() and wanted in stamp.read_text().split():
        return python()
    if not python().exists():
        say("making .venv")
        run([sys.executable, "-m", "venv", str(VENV)])
    install(tests)
    stamp.write_text(f"{wanted} {fingerprint(False)}\n")
    return python()


def fingerprint(tests: bool) -> str:
    """Changes whenever something would have to be installed anew."""
    project = (ROOT / "pyproject.toml").read_bytes()
    text = f"{sys.version_info[:2]} {'tests' if tests else 'run'} {ROOT}".encode()
    return hashlib.sha256(project + text).hexdigest()


def install(tests: bool) -> None:
    """Install the project, editable, with what it needs; from `wheels/` without a network where that folder is."""
    target = ".[test]" if tests else "."
    wheels = bundle()
    if wheels is not None:
        say(f"installing from {wheels}, without a network")
        offline = ["--no-index", "--find-links", str(wheels)]
        pip(["install", *offline, "setuptools", "wheel"])
        pip(["install", *offline, "--no-build-isolation", "-e", target])
        return
    say("installing PyTorch (the first time this takes some minutes)")
    gpu = has_nvidia()
    if not (wants_index(os.environ, os.name, gpu) and torch_from_index("cuda" if gpu else "cpu")):
        pip(["install", TORCH])
    say("installing Pixel OS")
    pip(["install", "-e", target])


def torch_from_index(kind: str) -> bool:
    """Install torch from PyTorch's own index; False, said in a line, where it cannot be reached or has none."""
    if not reachable(INDEX_HOST):
        say("PyTorch's wheel index cannot be reached; going on with pip's own settings")
        return False
    if pip(["install", TORCH, "--index-url", INDEXES[kind]], check=False) != 0:
        say("PyTorch's wheel index has no fitting wheel; going on with pip's own settings")
        return False
    return True


def wants_index(environ: Mapping[str, str], system: str, gpu: bool) -> bool:
    """Whether PyTorch's own index should be asked: not where pip is told where to look, nor where PyPI's build fits.

    PyPI holds the CUDA build for Linux and the CPU build for Windows and macOS.
    """
    if any(environ.get(name) for name in ("PIP_NO_INDEX", "PIP_INDEX_URL", "PIP_FIND_LINKS")):
        return False
    if sys.platform == "darwin":
        return False
    return gpu if system == "nt" else not gpu


def has_nvidia() -> bool:
    """Whether there is an NVIDIA GPU with a driver."""
    if os.name == "nt":
        system = Path(os.environ.get("SystemRoot", r"C:\Windows")) / "System32"
        return (system / "nvcuda.dll").exists()
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def bundle() -> Path | None:
    """The folder of wheels to install from, if there is one (`scripts/offline_bundle.py` makes it)."""
    folder = Path(os.environ.get("PIXELOS_WHEELS", ROOT / "wheels"))
    return folder if folder.is_dir() and any(folder.glob("*.whl")) else None


def reachable(address: tuple[str, int], connect: Callable[..., socket.socket] = socket.create_connection) -> bool:
    try:
        connect(address, timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def pip(arguments: Sequence[str], check: bool = True) -> int:
    return run([str(python()), "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"], check)


def run(command: Sequence[str], check: bool = True) -> int:
    """Run a command here; a failure ends the script with the command's exit code and one line."""
    code = subprocess.run(command, cwd=ROOT).returncode
    if code and check:
        print(f"pixelos: this failed ({code}): {' '.join(command)}", file=sys.stderr)
        raise SystemExit(1)
    return code


def say(line: str) -> None:
    print(f"pixelos: {line}", flush=True)
