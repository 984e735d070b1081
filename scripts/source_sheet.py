"""Looks at what a checkpoint has learned of a source, a row a shot, and prints the PSNR over the pixels that changed.

`python scripts/source_sheet.py --data my/session.jsonl --checkpoint runs/mine/checkpoint --out sheet.png` takes a trace, and a checkpoint with a
dreamer: before, the guide that it imagines, that guide painted, as it was. Of other sources, and with a checkpoint that answers by itself, such
as one that learned from a recording: before, painted from that frame and the events, as it was.
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
    parser.add_argument("--checkpoint", default="bundled", help="its folder")
    parser.add_argument("--out", type=Path, required=True, help="the picture to write")
    parser.add_argument("--rows", type=int, default=12)
    given = parser.parse_args()
    try:
        from models.catalog import resolve
        from models.datasets.source import open_source
        from models.loading import load_bundled
        from models.training.dreams import TraceDreams
        from models.training.networks import networks_from
        from models.training.source_sheet import dream_sheet, source_sheet

        folder, trace = resolve(str(given.checkpoint)), Path(given.data)
        checkpoint = load_bundled(folder, folder.name)
        if checkpoint.dreamer is not None and trace.is_file():
            sheet = dream_sheet(checkpoint, TraceDreams(trace), given.rows)
        else:
            networks = networks_from(folder).eval()
            sheet = source_sheet(networks.denoiser, networks.encoder, open_source(given.data), given.rows)
        sheet.picture.save(given.out)
    except (PixelOSError, OSError, ValueError) as error:
        print(f"source_sheet: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    right = "" if sheet.given is None else f", {sheet.given:.1f} from the right guide"
    print(f"{sheet.painted:.1f} dB where something changed ({sheet.kept:.1f} if nothing were painted{right}); see {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
