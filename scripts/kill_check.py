"""Kills a typing session at random moments, many times over, and looks for every acknowledged character.

`python scripts/kill_check.py --painter bundled --kills 100` does it with the bundled checkpoint in its child process;
half of the kills hit the session, half the painter. The test suite does the same with the guide painter.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

STYLE = "ocean"
LETTERS = "abcdefghijklmnopqrstuvwxyz "


def type_on(folder: Path, painter: str, say: int) -> None:
    """Open the session in `folder` and type the next letters for ever; tells how many are acknowledged on fd `say`."""
    from engine.events import Ask, Style, Text

    session, keeper = opened(folder, painter)
    desktop = session.desktop
    if desktop.stack.front is None:
        session.step([Style(desktop.t + 0.01, STYLE), Ask(desktop.t + 0.01, "notes")], desktop.t + 0.02)
    typed = len(written(desktop))
    unsaved: list[tuple[int, int]] = []
    while True:
        t = desktop.t + 0.02
        session.step([Text(t, LETTERS[typed % len(LETTERS)])], t)
        typed += 1
        unsaved.append((keeper.last_seq, typed))
        saved = keeper.saved_seq
        acknowledged = [count for seq, count in unsaved if seq <= saved]
        if acknowledged:
            os.write(say, f"{acknowledged[-1]}\n".encode())
            unsaved = unsaved[len(acknowledged) :]
        time.sleep(0.002)


def opened(folder: Path, painter: str):  # type: ignore[no-untyped-def]
    """A session on the profile in `folder`, recovered; (session, keeper)."""
    from engine.journal import Journal
    from engine.keeping import Keeper, recover
    from engine.mailbox import DirectMailbox, Mailbox
    from engine.mirror import Mirror
    from engine.painter import GuidePainter, PainterSpec
    from engine.session import Session

    (folder / "documents").mkdir(parents=True, exist_ok=True)
    journal, mirror = Journal(folder / "journal.sqlite"), Mirror(folder / "documents")
    size = (256, 192)
    desktop, _ = recover(journal, mirror, size)
    mailbox: Mailbox = DirectMailbox(GuidePainter(PainterSpec(size=size)))
    if painter != "guide":
        from engine.process_mailbox import ProcessMailbox
        from models.catalog import open_painter

        mailbox = ProcessMailbox(open_painter, PainterSpec(painter, size=size, threads=1))
    keeper = Keeper(journal, mirror)
    session = Session(desktop, mailbox, keeper)
    session.begin()
    return session, keeper


def written(desktop) -> str:  # type: ignore[no-untyped-def]
    """All that was typed: the one document's text."""
    return "".join(c for n, c in desktop.documents.contents.items() if isinstance(c, str) and not n.startswith("."))


def missing(folder: Path, acknowledged: int, letters: str = LETTERS) -> str:
    """What is wrong with the session found in `folder`; "" if every acknowledged letter is there, in order.

    The order tells that the caret came back, too: each life types on where it stands.
    """
    session, _ = opened(folder, "guide")
    text, front = written(session.desktop), session.desktop.stack.front
    style = session.desktop.style_words
    session.close()
    expected = "".join(letters[i % len(letters)] for i in range(len(text)))
    if len(text) < acknowledged:
        return f"{acknowledged} letters were acknowledged, {len(text)} are there"
    if text != expected:
        return f"the text differs from what was typed: {text[:40]!r}..."
    if acknowledged and (front is None or front.name != "Notes"):
        return "the Notes window is gone"
    if acknowledged and style != STYLE:
        return f"the style is {style!r}, not {STYLE!r}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--painter", default="bundled", help="bundled, or guide")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--type", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.type:
        type_on(Path(options.type), options.painter, sys.stdout.fileno())
    with tempfile.TemporaryDirectory() as place:
        folder, acknowledged = Path(place), 0
        for kill in range(options.kills):
            acknowledged = max(acknowledged, one_kill(folder, options.painter, kill % 2 == 1))
            wrong = missing(folder, acknowledged)
            if wrong:
                print(f"kill {kill + 1}: {wrong}", file=sys.stderr)
                return 1
            print(f"kill {kill + 1} of {options.kills}: all of {acknowledged} acknowledged letters are there", flush=True)
    return 0


def one_kill(folder: Path, painter: str, child: bool) -> int:
    """Start typing, kill the session (after its painter, if `child`) at a random moment; letters acknowledged."""
    import psutil

    command = [sys.executable, __file__, "--type", str(folder), "--painter", painter]
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}  # of what a killed process leaves behind: that is the point
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=quiet)
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    time.sleep(random.uniform(0.4, 5.0 if painter != "guide" else 1.2))
    if child:
        for painting in psutil.Process(process.pid).children(recursive=True):
            if "resource_tracker" not in " ".join(painting.cmdline()):  # it clears the shared memory away
                painting.kill()
        time.sleep(random.uniform(0.0, 1.0))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    told = (process.stdout.read() or b"").decode().split("\n")[:-1]
    return int(told[-1]) if told else 0


if __name__ == "__main__":
    sys.exit(main())
