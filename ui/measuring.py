"""`pixelos bench` and `dataset`: long work, told line by line on stderr, its result in one file or folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine.durable import replace_file
from engine.errors import InputError, PixelOSError
from ui.options import Choice


def say(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)


def bench_to(choice: Choice, out: Path | None, quick: bool, preset: str | None, random_weights: bool) -> None:
    """Measure the frame latency and write the result."""
    if out is None:
        raise InputError("--out FILE.json is missing: where the result goes")
    if (preset is None) == random_weights:
        raise InputError("--preset NAME and --random-weights go together: there are no weights of a preset but random ones")
    spec = choice.spec()
    if preset is not None:
        if choice.checkpoint is not None:
            raise InputError("--preset and --checkpoint both say what paints; give one of them")
        from models.presets import random_name

        spec = replace(spec, checkpoint=random_name(preset))
    check_file(out)
    from models.catalog import first_look

    first_look(spec)
    from benchmarks.latency import bench

    write_results({out: (json.dumps(bench(spec, quick, say), indent=1) + "\n").encode()})


def bench_all(choice: Choice, out: Path | None, quick: bool, presets: Sequence[str], random_weights: bool) -> None:
    """Measure several presets, each into a file of its own in `out`; one at a time on every GPU. They share the processor: where
    that disturbs them, their results say so."""
    from models.presets import random_name
    from ui.batch import batch, folders

    if out is None:
        raise InputError("--out DIR is missing: where the results go")
    if not random_weights:
        raise InputError("--preset NAME and --random-weights go together: there are no weights of a preset but random ones")
    where = folders(out, presets)
    for name in presets:
        random_name(name)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}; give another place") from error
    files = {name: (out / f"{name}.json") for name in where}
    more = ("--quick",) if quick else ()
    batch("bench", {name: ("--preset", name, "--random-weights", "--out", str(file), *more) for name, file in files.items()}, choice)
    print("see " + " and ".join(map(str, files.values())))


def tune_for(choice: Choice, target: float) -> None:
    """Find the settings that hold a latency, and keep them in the profile."""
    if not 0 < target < 1e6:
        raise InputError(f"--target {target} cannot be; give milliseconds, for example 100")
    spec, profile = choice.spec(), choice.folder()
    if spec.checkpoint == "guide":
        raise InputError("the guide painter has nothing to tune; give another --checkpoint")
    from benchmarks.tuning import tuned
    from engine.tuned import key_of, remember

    info, found = tuned(spec, target, say)
    try:
        profile.mkdir(parents=True, exist_ok=True)
        remember(profile, key_of(info.sha256, info.device, spec), found)
    except OSError as error:
        raise PixelOSError(f"{profile} cannot be written: {error.strerror}; give another --profile") from error
    held = "held" if found.full_ms <= target else "MISSED, this is the fastest there is"
    threads = f", {found.threads} threads" if found.threads else ""
    crop = f", crops from {found.least_crop} pixels" if found.least_crop else ""
    print(f"{info.name} on {info.device}: {found.steps} step{'s' * (found.steps > 1)}, {found.dtype}{threads}{crop}: "
          f"{found.full_ms:.0f} ms a whole frame, {found.letter_ms:.1f} ms a letter; target {target:g} ms {held}")  # fmt: skip


def compare_benches(results: Sequence[Path], out: Path | None) -> None:
    """Lay results of bench side by side: a page, and the same as Markdown beside it."""
    from benchmarks.latency_compare import compared

    page_to(out, lambda: compared(results))


def page_to(out: Path | None, made: Callable[[], tuple[bytes, bytes]]) -> None:
    """Write a page, and Markdown beside it, once it is known that both can be written."""
    if out is None:
        raise InputError("--out PAGE.html is missing: where the page goes")
    text = beside(out, ".md")
    for file in (out, text):
        check_file(file)
    shown, told = made()
    write_results({out: shown, text: told})


def beside(out: Path, suffix: str) -> Path:
    """The second file of two. Raises InputError where both would be the same."""
    if out.suffix == suffix:
        kind = ".json" if suffix == ".html" else ".html"
        raise InputError(f"--out {out} would be taken by the {suffix} file that goes beside it; let it end with {kind}")
    return out.with_suffix(suffix)


def dataset_to(choice: Choice, out: Path, count: int) -> None:
    """Write a dataset into `out`."""
    from models.datasets.writer import write_dataset

    header = write_dataset(out, choice.seed or 0, count, choice.spec().size, say)
    print(f"{header['samples']} frames are in {out}")


def check_file(out: Path) -> None:
    """Raises InputError where no file can be written at `out`; before long work, not after it."""
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; give a file")
    if not out.absolute().parent.is_dir():
        raise InputError(f"--out {out} cannot be written: there is no folder {out.absolute().parent}; make it first")
    try:
        there = out.exists()
        with open(out, "ab"):
            """It can be opened for writing."""
        if not there:
            out.unlink()
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}; give another place") from error


def write_results(files: Mapping[Path, bytes]) -> None:
    """Put results where they belong, and say so. Raises PixelOSError."""
    for file, data in files.items():
        try:
            replace_file(file.absolute(), data)
        except OSError as error:
            raise PixelOSError(f"{file} cannot be written: {error.strerror}; make room and try again") from error
    print("see " + " and ".join(str(file) for file in files))
