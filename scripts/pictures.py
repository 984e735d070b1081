"""Makes the README's pictures from real replays with the bundled checkpoint: docs/styles.jpg, docs/typing.gif, and
docs/dream.gif, which has no guide; and docs/worst.jpg, what it paints worst. `python scripts/pictures.py [NAME ...]`: only those."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from demo import animate
from PIL import Image, ImageDraw, ImageFont

from benchmarks.quality import extent, transition_scores
from benchmarks.quality_report import pictures_of
from benchmarks.transitions import Judged
from engine.desktop.desktop import Desktop
from engine.events import Ask
from engine.painter import PainterSpec
from engine.starting_point import capture
from engine.styles import PRESETS
from engine.typeface import font_folder
from models.catalog import open_painter

ROOT = Path(__file__).resolve().parent.parent
WORST = {"guided": 3, "dream": 5}  # cases of each mode
CELL, GAP, LINE = (216, 132), 6, 18  # pixels: the room of one picture of a case, between two, and of the words above
LETTER = "Dear reader,\nevery pixel of this window was painted by a small diffusion model, one key at a time."


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MADE))
    names = parser.parse_args().names or list(MADE)
    for name in names:
        if name not in MADE:
            parser.error(f"{name} is none of them: {', '.join(MADE)}")
    docs = ROOT / "docs"
    docs.mkdir(exist_ok=True)
    for name in names:
        MADE[name](docs / name)
        print(f"see {docs / name}")


def styles_jpg(path: Path) -> None:
    screens = replay([*screen(), *({"t": 10.0 + i, "type": "style", "text": s} for i, s in enumerate(PRESETS))])
    sheet(screens[-len(PRESETS) :]).save(path, quality=88, optimize=True)


def worst_jpg(path: Path) -> None:
    """The worst transitions of a quick evaluation in each mode, its seed the usual one."""
    cases = list[tuple[str, Judged]]()
    for mode, count in WORST.items():
        spec = PainterSpec(mode=mode, device="cpu")
        painter = open_painter(spec)
        cases += [(mode, outcome) for outcome in transition_scores(painter, spec, extent(True, mode, None), print)[1][:count]]
        painter.close()
    worst_sheet(cases).save(path, quality=78, optimize=True)


def screen() -> list[dict[str, object]]:
    """A lived-in desktop: a note, the calculator, a game."""
    return [
        {"t": 0.5, "type": "ask", "text": "snake"},
        {"t": 1.0, "type": "drag", "target": "Snake/title", "to": [430, 150]},
        {"t": 2.0, "type": "ask", "text": "calculator"},
        {"t": 2.5, "type": "text", "text": "12*7.5="},
        {"t": 3.0, "type": "drag", "target": "Calculator/title", "to": [410, 80]},
        {"t": 4.0, "type": "ask", "text": "notes"},
        {"t": 5.0, "type": "text", "text": "# Winter garden"},
        {"t": 5.2, "type": "key", "key": "enter", "mods": []},
        {"t": 5.4, "type": "text", "text": "The glass house is warm even in January. Καλημέρα, доброе утро!"},
    ]


def typing() -> list[dict[str, object]]:
    """A letter, typed; then the look is changed twice."""
    events: list[dict[str, object]] = [{"t": 0.2, "type": "ask", "text": "notes"}]
    for i, char in enumerate(LETTER):
        t = round(1.0 + i * 0.08, 2)
        events.append({"t": t, "type": "key", "key": "enter", "mods": []} if char == "\n" else {"t": t, "type": "text", "text": char})
    end = 2.0 + len(LETTER) * 0.08
    looks = [{"t": end + i, "type": "style", "text": style} for i, style in enumerate(("sunset", "ocean"))]
    return [*events, *looks, *({"t": end + 2 + i / 10, "type": "wait"} for i in range(6))]


DREAMT = "Written in a dream, letter by letter, without a picture of the screen."


def dreaming() -> list[dict[str, object]]:
    """A session without a guide, from an empty page on: a line is typed, a word of it is found, the window is dragged, another one
    opens over it and goes again, files and the log are looked at."""
    events: list[dict[str, object]] = [
        {"t": round(1.0 + i * 0.12, 2), "type": "text", "text": char} for i, char in enumerate(DREAMT)
    ]
    end = 2.0 + len(DREAMT) * 0.12
    return [
        *events,
        {"t": end, "type": "key", "key": "f", "mods": ["ctrl"]},
        *({"t": round(end + 0.2 + i * 0.12, 2), "type": "text", "text": char} for i, char in enumerate("dream")),
        {"t": end + 1.2, "type": "key", "key": "escape", "mods": []},
        {"t": end + 2, "type": "drag", "target": "Notes/title", "to": [300, 90]},
        {"t": end + 3, "type": "ask", "text": "calculator"},
        {"t": end + 4, "type": "key", "key": "w", "mods": ["ctrl"]},
        {"t": end + 5, "type": "ask", "text": "files"},
        {"t": end + 6, "type": "ask", "text": "log"},
        *({"t": end + 6.1 + i / 10, "type": "wait"} for i in range(6)),
    ]


def open_page() -> dict[str, object]:
    """What a desktop with an empty page of Notes starts a trace from."""
    desktop = Desktop()
    desktop.handle(Ask(0.1, "notes"))
    return capture(desktop)


def replay(events: list[dict[str, object]], **header: object) -> list[Image.Image]:
    """The frames of a trace, painted by the bundled checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.jsonl")
        first = {"pixelos_trace": 1, "size": [512, 384], "seed": 7, **header}
        trace.write_text("\n".join(map(json.dumps, [first, *events])) + "\n", encoding="utf-8")
        out = Path(folder, "out")
        subprocess.run([sys.executable, "-m", "ui.cli", "replay", str(trace), "--out", str(out)], cwd=ROOT, check=True)
        return [Image.open(path).convert("RGB") for path in sorted((out / "frames").glob("*.png"))]


def sheet(screens: list[Image.Image], columns: int = 3) -> Image.Image:
    """Pictures of one size, three quarters as large, side by side."""
    width, height = (length * 3 // 4 for length in screens[0].size)
    rows = -(-len(screens) // columns)
    whole = Image.new("RGB", (columns * width + (columns - 1) * 8, rows * height + (rows - 1) * 8), "white")
    for i, picture in enumerate(screens):
        whole.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (i % columns * (width + 8), i // columns * (height + 8)))
    return whole


def worst_sheet(cases: list[tuple[str, Judged]]) -> Image.Image:
    """A row a case: before, the source's after, painted, and their difference; what it is in words above."""
    font, rows = ImageFont.truetype(font_folder() / "DejaVuSans.ttf", 12), list[tuple[str, dict[str, Image.Image]]]()
    for mode, outcome in cases:
        verdict = "right" if outcome.right else "WRONG"
        told = f"{mode}, {outcome.style}: {outcome.kind}; {verdict}, {outcome.own:.1f} grey levels from the source, {outcome.rival:.1f} from the nearest rival"
        shown = {words: Image.fromarray(pixels) for words, pixels in pictures_of(outcome).items()}
        for picture in shown.values():
            picture.thumbnail(CELL, Image.Resampling.LANCZOS)
        rows.append((told, shown))
    step, heights = CELL[0] + GAP, [shown["painted"].height for _, shown in rows]
    whole = Image.new("RGB", (4 * step - GAP, LINE + sum(LINE + GAP + height for height in heights)), "#ececec")
    pen, y = ImageDraw.Draw(whole), LINE
    for j, words in enumerate(rows[0][1]):
        pen.text((j * step, 0), words, fill="grey", font=font)
    for (told, shown), height in zip(rows, heights, strict=True):
        pen.text((0, y), told, fill="black", font=font)
        for j, picture in enumerate(shown.values()):
            whole.paste(picture, (j * step, y + LINE))
        y += LINE + height + GAP
    return whole


MADE: dict[str, Callable[[Path], None]] = {
    "styles.jpg": styles_jpg,
    "typing.gif": lambda path: animate(replay(typing()), path, frame_ms=120),
    "dream.gif": lambda path: animate(replay(dreaming(), mode="dream", state=open_page()), path, frame_ms=150),
    "worst.jpg": worst_jpg,
}

if __name__ == "__main__":
    main()
