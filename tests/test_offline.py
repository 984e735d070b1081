"""The main job with no network: nothing opens an internet socket, and nothing would notice if there were none."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import asked

ROOT = Path(__file__).parent.parent
BUNDLED = ROOT / "models" / "bundled"
TRACE = """{"pixelos_trace": 1, "size": [256, 192], "seed": 7}
{"t": 0.0, "type": "ask", "text": "notes"}
{"t": 0.5, "type": "text", "text": "Nobody listens"}
{"t": 1.0, "type": "style", "text": "ocean"}
"""

# Runs the command line under an audit hook that writes down every address a socket is given, but for the machine's own:
# urllib3, which diffusers brings, binds one to ::1 when it is imported, to learn whether there is IPv6.
WATCHED = """
import socket, sys
seen = []
def watch(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto"):
        seen.append(f"{event} {args!r}")
    elif event in ("socket.connect", "socket.bind") and isinstance(args[1], tuple) and args[1][0] != "::1":
        seen.append(f"{event} {args[1]!r}")
sys.addaudithook(watch)
from ui import cli
code = cli.status(sys.argv[1:])
print("seen:", seen)
sys.exit(code)
"""


def unshared() -> list[str]:
    """The words before a command that take its network away; none where the system does not allow it."""
    for words in (["unshare", "-rn"], ["unshare", "-n"]):
        if shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
            return words
    return []


def painters() -> list[str]:
    return ["guide", *(["bundled"] if any(BUNDLED.rglob("*.safetensors")) else [])]


@pytest.mark.parametrize("checkpoint", painters())
def test_the_main_job_needs_no_network_and_opens_none(checkpoint: str, tmp_path: Path) -> None:
    (tmp_path / "trace.jsonl").write_text(TRACE)
    out = tmp_path / "out"
    command = [sys.executable, "-c", WATCHED, "replay", tmp_path / "trace.jsonl", "--out", out, "--checkpoint", checkpoint]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*unshared(), *map(str, command)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "seen: []"
    report = json.loads((out / "report.json").read_text())
    assert report["checkpoint"]["name"] == checkpoint
    assert len(report["steps"]) == 3


def test_the_watch_sees_what_it_is_for(tmp_path: Path) -> None:
    # Connecting a datagram socket sends nothing; 192.0.2.1 is an address for documentation.
    connects = 'socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect_ex(("192.0.2.1", 9))'
    opens = WATCHED.replace("from ui import cli", connects).replace("cli.status(sys.argv[1:])", "0")
    done = subprocess.run([sys.executable, "-c", opens], capture_output=True, text=True, timeout=60, check=True)
    assert "192.0.2.1" in done.stdout


def test_the_whole_suite_is_listened_to() -> None:
    """`tests.conftest.offline` fails the test that asks a network: here it is heard, and forgiven."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect_ex(("127.0.0.1", 9))
        assert asked == []
        datagrams.connect_ex(("192.0.2.1", 9))
    assert asked == ["socket.connect '192.0.2.1'"]
    asked.clear()


def test_the_code_names_no_host() -> None:
    """Not one address to fetch from in what is installed."""
    for folder in ("engine", "models", "ui", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            assert "http" + "://" not in text and "https" + "://" not in text, path
