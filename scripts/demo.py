"""Plays the bundled demo trace and leaves demo.png and demo.gif in the project's folder."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FRAME_MS = 350


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ui.cli", "replay", str(ROOT / "ui" / "demo.jsonl"), "--out", folder, *arguments]
        code = subprocess.run(command, cwd=ROOT).returncode
        if code:
            return code
        frames = [Image.open(path).convert("RGB") for path in sorted(Path(folder, "frames").glob("*.png"))]
        frames[-1].save(ROOT / "demo.png", optimize=True)
        animate(frames, ROOT / "demo.gif")
    print(f"see {ROOT / 'demo.png'} and {ROOT / 'demo.gif'}")
    return 0


def animate(frames: list[Image.Image], path: Path, frame_ms: int = FRAME_MS) -> None:
    """One animated picture; every frame with its own 255 colours, so that styles keep theirs."""
    small = [frame.quantize(255, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE) for frame in frames]
    small[0].save(path, save_all=True, append_images=small[1:], duration=frame_ms, loop=0, optimize=True, disposal=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
