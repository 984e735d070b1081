"""The painter's process is a quiet guest of the machine and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from engine.frame_memory import LINUX_SEGMENTS
from engine.painter import GuidePainter
from tests.test_process_mailbox import LONG_S, mailbox_of, until

ROOT = Path(__file__).parent.parent


def test_the_process_is_quiet_and_light() -> None:
    with mailbox_of(GuidePainter) as mailbox:
        until(lambda: mailbox.status.state == "ready")
        process = psutil.Process(mailbox.pid)
        if os.name != "nt":
            assert process.nice() > psutil.Process().nice()
        assert process.memory_info().rss < 150e6


def test_killing_the_parent_takes_the_process_and_the_memory_along(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import time\n"
        "from engine.process_mailbox import ProcessMailbox\n"
        "from tests.painters_for_tests import SPEC, FrozenPainter, noisy\n"
        "if __name__ == '__main__':\n"
        "    mailbox = ProcessMailbox(FrozenPainter, SPEC)\n"
        "    mailbox.post(noisy(1, '!'))\n"
        "    while mailbox.status.state != 'painting':\n"
        "        mailbox.wait(1)\n"
        "    print(mailbox.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert list(LINUX_SEGMENTS.glob(f"pixelos_{parent.pid}_*")) or os.name == "nt"
        parent.kill()
    until(lambda: not psutil.pid_exists(child), 5.0)
    until(lambda: not list(LINUX_SEGMENTS.glob(f"pixelos_{parent.pid}_*")), 5.0)


def test_a_program_that_forgets_to_close_ends_quietly(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from engine.process_mailbox import ProcessMailbox\n"
        "from tests.painters_for_tests import SPEC, GuidePainter, noisy\n"
        "if __name__ == '__main__':\n"
        "    mailbox = ProcessMailbox(GuidePainter, SPEC)\n"
        "    mailbox.post(noisy(1, 'x'))\n"
        "    while not mailbox.collect():\n"
        "        mailbox.wait(1)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, str(program)],
        check=False,
        capture_output=True,
        env=environment,
        text=True,
        timeout=LONG_S,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
