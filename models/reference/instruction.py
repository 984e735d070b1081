"""What a reference painter is told: one paragraph of plain words."""

from __future__ import annotations

from engine.painter import PaintRequest
from models.families import Family

NEGATIVE = "blurry, illegible text, distorted"
KEEP = "Keep everything else unchanged."
DRAWN = "Keep every word, every line and every edge where it stands."


def instruction(request: PaintRequest, family: Family, pictures: int) -> str:
    """pictures: how many are shown; the last frame is the first of them, the guide the second."""
    if request.edit is not None:
        return request.edit.instruction
    words = request.words
    look = f"{words.look or 'clean'} user interface"
    if not family.edits:  # is told what the frame shows
        said = [*(words.told if request.guide is None else ()), f"{look}, crisp text".capitalize() + "."]
    elif request.guide is None:
        said = [*words.told, KEEP] if words.told else [f"Make it a {look}."]
    elif pictures > 1:
        said = [
            "The first picture is a screen a moment ago, the second a plain drawing of what it shows now.", *words.told,
            f"Paint what the second picture shows as a {look}, in the manner of the first.", DRAWN,
        ]  # fmt: skip
    else:
        said = [*words.told, f"Paint the plainly drawn parts as a {look}, in the manner of the rest.", DRAWN]
    return " ".join([*said, words.known]).strip()
