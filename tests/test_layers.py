"""Imports point one way, and heavy things stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TORCH = {"torch", "diffusers", "transformers", "accelerate", "safetensors"}
FORBIDDEN = {
    "engine": {*TORCH, "pygame", "models", "ui", "benchmarks", "tests"},
    "models": {"pygame", "ui", "benchmarks", "tests"},
    "ui": {*TORCH, "tests"},
    "benchmarks": {"pygame", "tests"},
}
ROOT_OF_ALL = {"cli.py", "start.py", "playing.py", "measuring.py", "evaluating.py", "checkpoints.py", "training.py", "options.py",
               "probing.py", "batch.py"}  # the command line's own files


def imports(path: Path) -> set[str]:
    """Top-level names of everything a file imports, wherever in it; of type-checking imports too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_imports_point_one_way(layer: str) -> None:
    for path in (ROOT / layer).rglob("*.py"):
        assert not imports(path) & FORBIDDEN[layer], path


def test_only_the_command_line_knows_window_and_models_both() -> None:
    for path in (ROOT / "ui").glob("*.py"):
        if path.name not in ROOT_OF_ALL:
            assert not imports(path) & {"models", "benchmarks"}, path


def test_the_source_of_training_needs_no_torch() -> None:
    for path in (ROOT / "models" / "synthetic").glob("*.py"):
        assert not imports(path) & TORCH, path


@pytest.mark.parametrize("module", ["ui.cli", "ui.window", "engine.session", "engine.process_mailbox", "models.catalog"])
def test_the_parent_process_never_imports_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'diffusers'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
