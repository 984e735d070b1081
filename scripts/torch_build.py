"""Which build of PyTorch fits this machine, and which index has it. Standard library only.

Builds, cards and drivers are those of PyTorch's release matrix (2.11 to 2.13). It knows nothing of `.venv`.
"""

from __future__ import annotations

import platform
import re
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

INDEX = "https://download.pytorch.org/whl/"
PATIENCE = 4.0  # seconds the index may take to answer, looking its name up included

# build, oldest driver, oldest and first too new compute capability; the first row that fits is taken
BUILDS = (
    ("cu130", 580.0, 7.5, 99.0),
    ("cu128", 570.0, 10.0, 99.0),  # Blackwell under an older driver
    ("cu126", 525.0, 5.0, 10.0),
)
# What PyPI's wheels are; elsewhere PyTorch's own index is asked.
AT_PYPI = {("linux", "x86_64"): "cu130", ("win32", "amd64"): "cpu", ("darwin", "arm64"): "cpu"}
WHERE_FROM = {"index-url", "find-links", "no-index"}


@dataclass(frozen=True)
class Card:
    """An NVIDIA GPU: its driver's version and its compute capability, as numbers."""

    driver: float
    capability: float


def fitting(card: Card | None) -> str:
    """The build for a card: "cu130", ...; "cpu" where there is none, or none that its driver can run."""
    for build, driver, oldest, too_new in BUILDS:
        if card and card.driver >= driver and oldest <= card.capability < too_new:
            return build
    return "cpu"


def wants_index(build: str, pip_settings: Iterable[str], system: tuple[str, str] | None = None) -> bool:
    """Whether PyTorch's own index should be asked for `build`.

    Not where pip's own settings (the lines of `pip config list`) say where wheels come from: they hold; nor where
    PyPI has that build. system: what the platform calls itself and its processor, both in small letters.
    """
    if any(line.partition("=")[0].rpartition(".")[2] in WHERE_FROM for line in pip_settings):
        return False
    return AT_PYPI.get(system or (sys.platform, platform.machine().lower())) != build


def card() -> Card | None:
    """The NVIDIA GPU of this machine, the most capable one of several; None where there is none with a driver."""
    query = ["nvidia-smi", "--query-gpu=driver_version,compute_cap", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return _card_without_tool()
    return max(cards(told), key=lambda found: found.capability, default=None)


def cards(told: str) -> list[Card]:
    """What nvidia-smi told, a line a card: "580.65.06, 8.9"."""
    found = re.findall(r"^\s*(\d+\.\d+)[\d.]*\s*,\s*(\d+\.\d+)\s*$", told, re.MULTILINE)
    return [Card(float(driver), float(capability)) for driver, capability in found]


def _card_without_tool(version: Path = Path("/proc/driver/nvidia/version")) -> Card | None:
    """A card whose driver came without nvidia-smi, as in some containers; taken for one of the last years."""
    try:
        told = re.search(r"Kernel Module\D+(\d+\.\d+)", version.read_text())
    except OSError:
        return None
    return Card(float(told[1]), 8.0) if told else None


def reachable(
    build: str, fetch: Callable[..., object] = urllib.request.urlopen, patience: float = PATIENCE
) -> bool:
    """Whether the index answers in time. Asked in a thread: looking a name up has no time limit of its own."""
    answered: list[bool] = []

    def ask() -> None:
        try:
            fetch(f"{INDEX}{build}/torch/", timeout=patience)
            answered.append(True)
        except urllib.error.URLError as error:
            answered.append(isinstance(error.reason, ssl.SSLError))  # it is there; pip may know its certificate
        except OSError:
            answered.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience)
    return any(answered)
