"""Fuzzes what reads a checkpoint's files: headers, indexes, settings, weights that are packed, the tables and settings of tokenizers
and processors, LoRAs, textual inversions.

`python scripts/fuzz_loading.py --seconds 60` changes sound files at random and reads them (see `tests/fuzzing.py`). Inputs
that crash a reader, or take it too long or too much memory, are written into `--out`. Where atheris is installed,
`--atheris` lets it choose the inputs by what they reach in the code, for the readers that `--reader` names (all, unless told).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
READERS = (
    "plain_files", "safetensors_file", "gguf_file", "survey", "configs", "weights", "bits",
    "loading", "prompted.opening", "loras.reading", "loras.origins", "autoencoders", "controlnets", "loose", "single_file", "arrangements", "sizes",
    "embeddings", "vocabularies", "pieces", "layout", "readers", "encoders", "packing", "packed", "rows", "scaled",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where inputs that broke the rules are written")
    parser.add_argument("--atheris", action="store_true", help="guided by coverage; needs atheris")
    parser.add_argument("--reader", action="append", help="with --atheris: a name of tests.fuzz_targets.TARGETS; again for each")
    given = parser.parse_args()
    if given.atheris:
        return guided(given.seconds, given.seed, given.reader or [], given.out)
    from tests.fuzz_targets import TARGETS
    from tests.fuzzing import fuzz

    done = fuzz(TARGETS, given.seconds, given.seed, given.out)
    for name, said in done.outcomes.items():
        print(f"{name:<48} {len(said)} outcomes")
    print("\n".join([f"{done.inputs} inputs, {len(done.broken)} broke the rules", *sorted(set(done.broken))[:40]]))
    return int(bool(done.broken))


def guided(seconds: float, seed: int, chosen: list[str], out: Path | None) -> int:
    """Hand over to atheris, which ends the process itself, at the first input that breaks the rules: that one is written into `out`.

    It begins at the sound files of each reader; the first byte of an input chooses among them."""
    try:
        import atheris
    except ImportError:
        print("fuzz_loading: atheris is not installed; leave --atheris out, or: pip install atheris", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=[f"models.{name}" for name in READERS]):
        from tests.fuzz_targets import TARGETS
        from tests.fuzzing import LARGEST, outcome

    if unknown := set(chosen) - set(TARGETS):
        print(f"fuzz_loading: there is no reader {sorted(unknown)[0]!r}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    targets = [TARGETS[name] for name in chosen or TARGETS]

    def read(data: bytes) -> None:
        if data:
            outcome(targets[data[0] % len(targets)], data[1:])

    corpus = Path(tempfile.mkdtemp(prefix="fuzz-"))  # atheris ends the process, so nobody could take it away
    for which, target in enumerate(targets):
        for place, sound in enumerate(target.seeds):
            (corpus / f"{which}-{place}").write_bytes(bytes([which]) + sound)
    kept = out or Path()
    kept.mkdir(parents=True, exist_ok=True)
    told = [f"-max_total_time={seconds:.0f}", f"-seed={seed}", f"-max_len={min(LARGEST, 2**16)}", f"-artifact_prefix={kept}/", str(corpus)]
    atheris.Setup([sys.argv[0], *told], read)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
