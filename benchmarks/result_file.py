"""What a benchmark found, as one JSON document: printed, and kept where the command line names a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def with_out(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser, which now takes `--out FILE.json`."""
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="keep the result there too")
    return parser


def _indented(result: dict[str, Any]) -> str:
    return json.dumps(result, indent=1)


def leave(result: dict[str, Any], out: Path | None, written: Callable[[dict[str, Any]], str] = _indented) -> None:
    """Print a result, and write it to `out` where that is given. written: makes JSON of it. Raises OSError."""
    told = written(result)
    if out:
        out.write_text(told + "\n", "utf-8")
    print(told)
