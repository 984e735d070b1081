"""Which open family was tested how, as README tells it: read off the tests themselves, so that it cannot go stale.

`python -m tests.matrix` writes the table into README.md.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.families import FAMILIES
from tests import (
    test_families,
    test_family_swaps,
    test_lone_controlnets,
    test_loose,
    test_loras,
    test_previews,
    test_references,
    test_single_files,
)

README = Path(__file__).parent.parent / "README.md"
PLACE = re.compile(r"(?<=<!-- tested -->\n).*?(?=<!-- end of tested -->)", re.DOTALL)
NAMES = [row.name for row in FAMILIES]
TESTS: dict[str, tuple[Callable[..., Any], ...]] = {  # by column
    "a folder paints as the stock pipeline": (
        test_families.test_the_whole_frame_is_the_stock_pipelines, test_references.test_a_call_gives_what_the_stock_pipeline_gives,
    ),
    "as one file": (
        test_single_files.test_a_file_paints_as_the_folder_it_was_made_of,
        test_lone_controlnets.test_a_file_with_a_controlnets_file_paints_as_the_folder_with_both,
    ),
    "denoiser as one file": (test_single_files.test_a_denoiser_alone_takes_the_rest_from_a_folder_of_its_kind,),
    "its parts apart, as ComfyUI keeps them": (test_loose.test_parts_that_lie_apart_paint_as_the_folder_that_they_were_of,),
    "guided, nothing else changes": (
        test_families.test_pixels_outside_the_damage_stay_bit_identical, test_references.test_pixels_outside_the_damage_stay_bit_identical,
    ),
    "dream": (test_families.test_a_dream_answers_what_the_events_did, test_references.test_every_picture_and_every_word_counts),
    "edit of a region": (
        test_family_swaps.test_an_edit_of_a_region_changes_nothing_outside_it_and_nothing_that_is_held,
        test_previews.test_what_a_preview_is_made_of_is_what_is_decoded_in_the_end,
    ),
    "LoRA as in the stock pipeline": (
        test_loras.test_the_whole_frame_is_the_stock_pipelines_with_the_same_loras, test_loras.test_reference_painters_wear_them_too,
    ),
    "hot swap": (test_family_swaps.test_every_family_takes_over_a_session_and_gives_it_back,),
}  # fmt: skip


def families_of(test: Callable[..., Any]) -> set[str]:
    """The families that a test runs for."""
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize" and mark.args[0] == "family":
            return set(mark.args[1])
        if mark.name == "parametrize" and mark.args[0][0] == "family":  # among others
            return {values[0] for values in mark.args[1]}
    assert {"family", "folder"} & set(inspect.signature(test).parameters), f"{test.__name__} is for no family"
    return set(test_references.ROWS)  # what its module's fixture goes through


def table() -> str:
    """Families that were tested alike stand in one row."""
    told = {column: set[str]().union(*map(families_of, tests)) for column, tests in TESTS.items()}
    rows: dict[tuple[bool, ...], list[str]] = {}
    for name in NAMES:
        rows.setdefault(tuple(name in names for names in told.values()), []).append(f"`{name}`")
    lines = [f"| family | {' | '.join(TESTS)} |", "|" + " --- |" * (len(TESTS) + 1)]
    lines += [f"| {', '.join(names)} | {' | '.join('yes' if cell else '–' for cell in cells)} |" for cells, names in rows.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    README.write_text(PLACE.sub(lambda _: table(), README.read_text("utf-8")), "utf-8")
