"""Looks at what a checkpoint has learned of a source: paints some of its shots from the frame before and the events.

`python scripts/source_sheet.py --data my/recording --checkpoint runs/mine/checkpoint --out sheet.png` writes a row a
shot: before, painted, as it was. It prints the PSNR over the pixels that changed, beside that of changing nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> int:
    from engine.errors import PixelOSError

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="as for pixelos train")
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "models" / "bundled", help="its folder")
    parser.add_argument("--out", type=Path, required=True, help="the picture to write")
    parser.add_argument("--rows", type=int, default=12)
    given = parser.parse_args()
    try:
        from models.datasets.source import open_source
        from models.training.networks import networks_from
        from models.training.source_sheet import source_sheet

        networks = networks_from(given.checkpoint).eval()
        sheet = source_sheet(networks.denoiser, networks.encoder, open_source(given.data), given.rows)
        sheet.picture.save(given.out)
    except (PixelOSError, OSError, ValueError) as error:
        print(f"source_sheet: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    print(f"{sheet.painted:.1f} dB where something changed ({sheet.kept:.1f} if nothing were painted); see {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
