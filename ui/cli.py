"""The command line: the one place that knows the window and the models both.

Nothing is imported before it is needed, so that the window is up before anything heavy is read.
"""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before any import that could touch a hub: nothing here ever asks one
os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"

import sys
from pathlib import Path
from typing import Annotated

import typer

from ui.options import Choice, profile_said, with_choice

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Pixel OS: a desktop whose face a diffusion model paints, frame by frame, on your own machine.",
)
models_app = typer.Typer(rich_markup_mode=None, help="Checkpoints: what is there, and whether it can be loaded.")
eval_app = typer.Typer(rich_markup_mode=None, help="Score a checkpoint's painting, compare scores.")
bench_app = typer.Typer(rich_markup_mode=None, help="Measure frame latency, compare measurements.")
app.add_typer(models_app, name="models")
app.add_typer(eval_app, name="eval")
app.add_typer(bench_app, name="bench")

PaintCap = Annotated[float | None, typer.Option("--paint-cap", metavar="N", help="Paints a second at most; 0: as many as come.")]
PowerCap = Annotated[int | None, typer.Option("--power-cap", metavar="PERCENT", help="Share of the time that the painter may compute.")]
OutPage = Annotated[Path | None, typer.Option("--out", metavar="REPORT.html", help="Where the page goes.")]


@app.callback(invoke_without_command=True)
def pixelos(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
@with_choice
def run(choice: Choice, paint_cap: PaintCap = None, power_cap: PowerCap = None) -> None:
    """The window."""
    from ui.start import start

    start(choice, None, {"paint_cap": paint_cap, "power_cap": power_cap})


@app.command()
@with_choice
def record(
    choice: Choice,
    out: Annotated[Path, typer.Option("--out", metavar="TRACE", help="The trace to write.")],
    paint_cap: PaintCap = None,
    power_cap: PowerCap = None,
) -> None:
    """`run`, and every event goes into a trace as well."""
    from ui.start import start

    start(choice, out, {"paint_cap": paint_cap, "power_cap": power_cap})


@app.command()
@with_choice
def replay(
    choice: Choice,
    traces: Annotated[list[Path], typer.Argument(metavar="TRACE ...", help="A trace, JSON Lines; or several, spread over the GPUs.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where frames, scenes and report go.")],
    frames: Annotated[str, typer.Option(metavar="all|last|none", help="Which frames to save.")] = "all",
) -> None:
    """Play a trace without a window, deterministic on a CPU."""
    from ui.playing import play, play_all

    if len(traces) > 1:
        play_all(choice, traces, out, frames)
    else:
        play(choice, traces[0], out, frames)


@eval_app.callback(invoke_without_command=True)
@with_choice
def evaluate(
    context: typer.Context,
    choice: Choice,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.json", help="The scores; FILE.html shows them.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="At most two minutes.")] = False,
    drift_frames: Annotated[int | None, typer.Option(metavar="N", help="Frames of the guided session.")] = None,
    without: Annotated[str | None, typer.Option(metavar="dreamer", help="Leave the dreamer out: a dream by rules alone.")] = None,
) -> None:
    """Score a checkpoint's painting."""
    if context.invoked_subcommand is not None:
        return
    from ui.evaluating import evaluate_to

    evaluate_to(choice, out, quick, drift_frames, without)


@eval_app.command("compare")
def compare_evaluations(
    results: Annotated[list[Path], typer.Argument(metavar="A.json B.json ...", help="Results of eval.")],
    out: OutPage = None,
) -> None:
    """Lay several evaluations side by side, as a page and as Markdown."""
    from ui.evaluating import compare_to

    compare_to(results, out)


@bench_app.callback(invoke_without_command=True)
@with_choice
def bench(
    context: typer.Context,
    choice: Choice,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.json", help="Where the result goes.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="At most one minute.")] = False,
    preset: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An architecture at its real size; repeatable, spread over the GPUs.")
    ] = None,
    random_weights: Annotated[bool, typer.Option("--random-weights", help="With --preset.")] = False,
) -> None:
    """Measure frame latency."""
    if context.invoked_subcommand is not None:
        return
    from ui.measuring import bench_all, bench_to

    if preset and len(preset) > 1:
        bench_all(choice, out, quick, preset, random_weights)
    else:
        bench_to(choice, out, quick, preset[0] if preset else None, random_weights)


@bench_app.command()
def compare(
    results: Annotated[list[Path], typer.Argument(metavar="A.json B.json ...", help="Results of bench.")],
    out: OutPage = None,
) -> None:
    """Lay results of bench side by side, as a page and as Markdown."""
    from ui.measuring import compare_benches

    compare_benches(results, out)


@bench_app.command()
@with_choice
def tune(
    choice: Choice,
    target: Annotated[float, typer.Option(metavar="MS", help="Milliseconds that a whole frame may take.")] = 100.0,
) -> None:
    """Find the settings that hold a latency on this machine; `run` takes them from then on."""
    from ui.measuring import tune_for

    tune_for(choice, target)


@models_app.command("list")
@with_choice
def list_models(choice: Choice) -> None:
    """What there is: family, size, estimated memory."""
    from ui.checkpoints import show_all

    show_all(choice)


@models_app.command()
@with_choice
def check(choice: Choice, path: Annotated[str, typer.Argument(metavar="PATH", help="A folder, a file, or a name.")]) -> None:
    """Whether a checkpoint, a LoRA or a textual inversion is safe and complete, and why not; with --checkpoint, whether the LoRA fits it."""
    from ui.checkpoints import check as look_over

    look_over(choice, path)


@models_app.command()
@with_choice
def add(
    choice: Choice,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A checkpoint's folder or file, a LoRA, a textual inversion.")],
    move: Annotated[bool, typer.Option("--move", help="Move it instead of copying it.")] = False,
) -> None:
    """Put a sound checkpoint, or what goes with one, into the profile."""
    from ui.checkpoints import add as add_checkpoint

    add_checkpoint(choice, path, move)


@models_app.command()
@with_choice
def remove(
    choice: Choice,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of the list.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Delete a checkpoint, or what goes with one, from the profile."""
    from ui.checkpoints import remove as remove_checkpoint

    remove_checkpoint(choice, name, yes)


@models_app.command()
@with_choice
def probe(
    choice: Choice, path: Annotated[str, typer.Argument(metavar="PATH", help="A checkpoint.")], out: OutPage = None
) -> None:
    """What a checkpoint is like: sound, equal to its stock pipeline, legible, fast; one page and one JSON to share."""
    from ui.probing import probe_to

    probe_to(choice, path, out)


@app.command()
@with_choice
def train(
    choice: Choice,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the checkpoint goes.")],
    data: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="synthetic, a dataset, a recording, a trace; or several, A:2,B.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from what is in --out, as it was begun.")] = False,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME", help="Several runs, one after the other; bundled: the like of the bundled checkpoint, from nothing.")
    ] = None,
    init: Annotated[str | None, typer.Option(metavar="CHECKPOINT", help="The weights to start from.")] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="cpu|gpu", help="A night on a CPU, half an hour on a GPU; else what there is.")
    ] = None,
    updates: Annotated[int | None, typer.Option(metavar="N", help="End after so many updates.")] = None,
    minutes: Annotated[float | None, typer.Option(metavar="M", help="End after so many minutes; 0: no limit.")] = None,
    rate: Annotated[float | None, typer.Option(metavar="R", help="The highest learning rate (8e-4).")] = None,
    part: Annotated[
        str | None, typer.Option(metavar="painter|dreamer|lora", help="What is taught: painting (usual), how dreams go on, or a LoRA.")
    ] = None,
    lora: Annotated[bool, typer.Option("--lora", help="Teach a LoRA: --part lora.")] = False,
    family: Annotated[str | None, typer.Option(metavar="NAME", help="Of a LoRA: the family that --init must be of.")] = None,
    rank: Annotated[int | None, typer.Option(metavar="N", help="Of a LoRA (16).")] = None,
    blocks: Annotated[
        str | None, typer.Option(metavar="N,N,N,N,N", help="Of the painter, down, deepest and up: fewer paint faster (1,0,0,1,2).")
    ] = None,
    inner: Annotated[
        str | None, typer.Option(metavar="N,N,N,N,N", help="Channels within those blocks, row by row, 0: as many as outside (24,0,0,16,32).")
    ] = None,
    guide_dropped: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of what events explain, learned without a guide (0 beside a dreamer, else 0.9).")
    ] = None,
) -> None:
    """Train or fine-tune a checkpoint of the bundled family, or a LoRA of an open one."""
    from engine.errors import InputError
    from ui.training import recipe_there, recipe_to, train_to

    if lora:
        for option, value in (("recipe", recipe), ("part", part)):
            if value not in (None, "lora"):
                raise InputError(f"--lora teaches a LoRA, --{option} {value} something else; leave one of them out")
        part = "lora"
    said = {"data": data, "updates": updates, "minutes": minutes, "rate": rate, "guide_dropped": guide_dropped,
            "part": part, "family": family, "rank": rank, "blocks": blocks, "inner": inner}  # fmt: skip
    if recipe is not None or (resume and recipe_there(out)):
        recipe_to(choice, out, recipe, resume, budget, {**said, "init": init})
    else:
        train_to(choice, out, resume, init, budget, said)


@app.command()
@with_choice
def dataset(
    choice: Choice,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the dataset goes.")],
    count: Annotated[int, typer.Option(metavar="N", help="How many frames.")] = 1000,
) -> None:
    """Write the synthetic source to disk, annotated: PNG and JSON Lines. Goes on where it was interrupted."""
    from ui.measuring import dataset_to

    dataset_to(choice, out, count)


@app.command()
def doctor(
    profile: Annotated[Path | None, typer.Option(metavar="DIR", help="The profile folder.", parser=profile_said)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False,
) -> None:
    """What this machine has, what is wrong, and the command that mends it."""
    from functools import partial

    from benchmarks.machine import machine_facts
    from models.apart import apart
    from models.check import listing
    from ui.doctor import run as examine

    raise typer.Exit(examine(profile, as_json, machine_facts, partial(apart, listing)))


def main() -> None:
    """The `pixelos` command: any error is one message on stderr and an exit code, never a traceback."""
    sys.exit(status(sys.argv[1:]))


def status(arguments: list[str]) -> int:
    """Do what the arguments say; the exit code."""
    from engine.errors import PixelOSError

    try:
        code = app(arguments, prog_name="pixelos", standalone_mode=False)
        if code == 130:  # typer took Ctrl-C itself
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except PixelOSError as error:
        return _tell(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _tell("stopped", 130)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort
        if hasattr(error, "format_message"):  # typer's own words for a wrong option
            return _tell(f"{error.format_message().rstrip('.')}; pixelos --help says what there is", 2)
        return _unexpected(error)


def _tell(message: str, code: int) -> int:
    print(f"pixelos: {message}", file=sys.stderr)
    return code


def _unexpected(error: Exception) -> int:
    from engine.trouble import debugging, noted

    log = noted(error)
    if debugging():
        return 1
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    what = " ".join(what.split())
    if log is None:
        return _tell(f"something failed: {what}; PIXELOS_DEBUG=1 shows where", 1)
    return _tell(f"something failed: {what}; details are in {log}", 1)


if __name__ == "__main__":
    main()
