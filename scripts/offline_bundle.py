"""Collect every wheel Pixel OS needs into `wheels/`, for a machine that never has a network.

Copy the whole folder of the project there, `wheels/` included: `scripts/run.py` installs from it. The wheels are for
this platform and this Python, in the versions installed here; --tests adds what the test suite needs.
"""

from __future__ import annotations

import subprocess
import sys

import environment

FOLDER = environment.ROOT / "wheels"


def main() -> int:
    tests = "--tests" in sys.argv[1:]
    interpreter = str(environment.ready(tests))
    FOLDER.mkdir(exist_ok=True)
    listed = [interpreter, "-m", "pip", "list", "--format=freeze", "--exclude-editable", "--disable-pip-version-check"]
    installed = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    versions = FOLDER / "versions.txt"
    versions.write_text("\n".join(line for line in installed if "==" in line) + "\n")
    torch = next(line for line in installed if line.startswith("torch=="))
    environment.say(f"collecting wheels in {FOLDER}")
    _, _, build = torch.partition("+")
    options = environment.index_options(build) if build else []
    environment.run(command(interpreter, [torch], [*options, "--no-deps"]))
    environment.run(command(interpreter, wanted(tests), ["--find-links", str(FOLDER), "--constraint", str(versions)]))
    count = len(list(FOLDER.glob("*.whl")))
    environment.say(f"{count} wheels are in {FOLDER}; copy the project's folder with them to the other machine")
    return 0


def wanted(tests: bool) -> list[str]:
    """What the project is built with and needs, as pyproject.toml has it."""
    told = environment.project()
    tools = told["project"]["optional-dependencies"]["test"] if tests else []
    return [*told["build-system"]["requires"], *told["project"]["dependencies"], *tools]


def command(interpreter: str, packages: list[str], options: list[str]) -> list[str]:
    """Downloads wheels, and makes them of packages that come as source only."""
    return [interpreter, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(FOLDER), *options, *packages]


if __name__ == "__main__":
    sys.exit(main())
