"""Builds every hostile checkpoint of the tests, and measures how soon each is refused: see `benchmarks.refusals`, whose arguments it takes
but for the folder."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> None:
    from benchmarks import refusals

    with tempfile.TemporaryDirectory() as home:
        built = build(Path(home))
        refusals.main([str(built), *sys.argv[1:]])


def build(home: Path) -> Path:
    """A folder in `home` with a hostile checkpoint of each case and family, called by both."""
    from importlib import import_module

    cases = import_module("tests.hostile")  # by name: the checks of types stop at the tests
    sound, hostile = home / "sound", home / "hostile"
    sound.mkdir()
    cases.sound_in(sound)
    for name, case in cases.CASES.items():
        for family in case.where:
            folder = hostile / re.sub(r"\W+", "-", f"{name} {family}")
            shutil.copytree(sound / family, folder, symlinks=True)
            try:
                case.hostile(folder, cases.BASES[family])
            except BaseException as error:  # noqa: BLE001 - pytest's word for what this system cannot have is no Exception
                print(f"left out {folder.name}: {error}", file=sys.stderr)
                shutil.rmtree(folder)
    return hostile


if __name__ == "__main__":
    main()
