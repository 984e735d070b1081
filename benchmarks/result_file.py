"""What a benchmark found, as one JSON document: printed, and kept where the command line names a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def with_out(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser, which now takes `--out FILE.json`."""
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="keep the result there too")
    return parser


def leave(result: dict[str, Any], out: Path | None) -> None:
    """Print a result, and write it to `out` where that is given. Raises OSError."""
    told = json.dumps(result, indent=1)
    if out:
        out.write_text(told + "\n", "utf-8")
    print(told)
