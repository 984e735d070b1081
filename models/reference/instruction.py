"""What a reference painter is told: one paragraph of plain words."""

from __future__ import annotations

from engine.painter import PaintRequest

NEGATIVE = "blurry, illegible text, distorted"
KEEP = "Keep everything else unchanged."
DRAWN = "Keep every word, every line and every edge where it stands."


def instruction(request: PaintRequest, references: int) -> str:
    """references: how many pictures are shown; the last frame is the first of them, the guide the second."""
    words = request.words
    look = f"{words.look or 'clean'} user interface"
    if request.guide is None:
        said = [*words.told, KEEP] if words.told else [f"Make it a {look}."]
    elif references > 1:
        said = [
            "The first picture is a screen a moment ago, the second a plain drawing of what it shows now.", *words.told,
            f"Paint what the second picture shows as a {look}, in the manner of the first.", DRAWN,
        ]  # fmt: skip
    else:
        said = [*words.told, f"Paint the plainly drawn parts as a {look}, in the manner of the rest.", DRAWN]
    return " ".join([*said, words.known]).strip()
