"""Lint and type checks: ruff, then mypy. The same command everywhere; its exit code counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = (
    ["ruff", "check", "."],
    ["mypy", "engine", "models", "ui", "benchmarks", "scripts"],
)


def main() -> int:
    codes = [subprocess.run([sys.executable, "-m", *check], cwd=ROOT).returncode for check in CHECKS]
    return int(any(codes))  # one that a signal ended has a negative code


if __name__ == "__main__":
    sys.exit(main())
