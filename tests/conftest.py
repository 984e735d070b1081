"""What the tests need from the machine. With CI=true a missing tool is a failure, else a skip that says what to do."""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from benchmarks.reading import read
from engine import spare
from engine.painter import Painter, PainterSpec
from models.catalog import LIBRARIES

HERE = ("", "::", "::1", "0.0.0.0", "localhost", socket.gethostname(), None)
asked: list[str] = []  # of the network, by this process


def listen(event: str, given: tuple[Any, ...]) -> None:
    """An audit hook: notes every address beyond this machine that a socket is given, and every name that is looked up."""
    if event in ("socket.connect", "socket.sendto"):
        host = given[1][0] if isinstance(given[1], tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = given[0]
    else:
        return
    if host not in HERE and not str(host).startswith("127."):
        asked.append(f"{event} {host!r}")


sys.addaudithook(listen)


@pytest.fixture(autouse=True)
def offline() -> Iterator[None]:
    """Nothing that is tested asks a network."""
    asked.clear()
    yield
    assert not asked, asked


@pytest.fixture(scope="session", autouse=True)
def own_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What fails in a test is not written to the log of whoever tests, where the system's log folder can be named (Linux)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def need(tool: str, package: str) -> str:
    found = shutil.which(tool)
    if found:
        return found
    absent(f"{tool} is missing; install it (Debian: apt-get install {package})")


def need_package(name: str, distribution: str | None = None) -> None:
    if importlib.util.find_spec(name) is None:
        absent(f"the package {name} is missing; install it (pip install {distribution or name})")


def needed(name: str, distribution: str | None = None) -> Any:
    """The package itself, for a whole file of tests. distribution: what pip calls it, where that is another name."""
    need_package(name, distribution)
    return importlib.import_module(name)


def absent(message: str) -> NoReturn:
    """What a test needs is not here: no reason to fail on a user's machine; where everything is to be installed it is one."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message, allow_module_level=True)


@pytest.fixture
def libraries_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Painters' processes come of one that holds the libraries already, where a system can split processes (not Windows): taking them in
    is most of the time of a test that opens several. For tests of what goes on between processes, not of how these are begun."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.set_forkserver_preload([*LIBRARIES, "models.reference.painter"])  # heard once, by the first that asks
        forkserver.ensure_running()  # which is no painter's process, and is there before any is counted
        monkeypatch.setattr(spare, "METHOD", "forkserver")


@pytest.fixture(scope="session")
def small_bundled() -> Iterator[Painter]:
    """The bundled checkpoint, guided, 256x192, one thread, opened once. It knows what tests before left in its caches."""
    from models.catalog import open_painter

    painter = open_painter(PainterSpec(size=(256, 192), device="cpu", threads=1))
    yield painter
    painter.close()


@pytest.fixture
def ocr() -> Callable[[np.ndarray], str]:
    """Reads the text in uint8 (H, W, 3) with Tesseract."""
    need("tesseract", "tesseract-ocr")
    return read


@pytest.fixture(scope="session")
def xvfb() -> Iterator[str]:
    """A private X server of 1280x900; yields its DISPLAY."""
    server = need("Xvfb", "xvfb")
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(writer), "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[writer], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writer)
    number = b""
    while not number.endswith(b"\n"):
        part = os.read(reader, 16)
        if not part:
            pytest.fail("the virtual X server did not start")
        number += part
    os.close(reader)
    yield f":{number.decode().strip()}"
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny checkpoints stand that no test changes: `tests.tiny_families.folder_of` builds each when it is first asked for."""
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture
def xdotool(xvfb: str) -> Callable[..., str]:
    """Injects input into the virtual X server."""
    tool = need("xdotool", "xdotool")

    def inject(*arguments: str) -> str:
        environ = {**os.environ, "DISPLAY": xvfb}
        return subprocess.run([tool, *arguments], env=environ, check=True, capture_output=True, text=True).stdout

    return inject


@pytest.fixture(scope="session")
def book() -> Any:
    """A small book of windows, in one text size."""
    from models.training import dream_book

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dream_book, "OPENED", 3)
        patch.setattr(dream_book, "TEXT_SIZES", (13,))
        return dream_book.learned(np.random.default_rng(0))
