"""The book of windows as a file: what it holds, and that a broken one is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import CheckpointError
from models.dreaming.book import Book
from models.dreaming.planes import PLANES, SEEN
from models.loading import load_book, save_book


def test_the_book_has_a_page_of_every_app_and_is_kept(book: Book, tmp_path: Path) -> None:
    assert len(book.tensors()) == 15 + 2 + 10 + 2 * 3 + 3, (
        "windows and buttons, documents; forms of windows, with documents too, and the ground; other pages of windows with theirs; palettes"
    )
    page = book.page(2, 20)
    assert page is not None and page.shape[0] == SEEN and (page[3] == 255).any(), "Paint shows a picture"
    save_book(tmp_path / "book.safetensors", book)
    again = load_book(tmp_path / "book.safetensors")
    assert all(torch.equal(page, again.tensors()[name]) for name, page in book.tensors().items())


def packed(height: int, width: int, pixels: int) -> torch.Tensor:
    """A page as its file has it that says how large it is, and holds so many pixels."""
    return torch.frombuffer(bytearray(struct.pack("<HH", height, width) + zlib.compress(bytes(pixels))), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("clock.13", torch.zeros(4, 4, dtype=torch.uint8)), ("notes.big", torch.zeros(4, 4, dtype=torch.uint8)),
        ("notes.13", torch.zeros(4, 4)), ("notes.13", torch.zeros(4, dtype=torch.uint8)), ("notes.13", torch.zeros(2, dtype=torch.uint8)),
        ("notes.13", torch.zeros(4, 4096, dtype=torch.uint8)), ("notes.13", packed(4, 4, 15)), ("notes.13", packed(4, 4, 17)),
        ("notes.13", packed(4, 4, 16)[:-1]), ("notes.13", packed(0, 0, 0)), ("notes.13", packed(4096, 4, 2**14)), ("notes.13", packed(65535, 65535, 2**26)),
    ],
)  # fmt: skip
def test_a_book_that_is_none_is_refused(tmp_path: Path, name: str, page: torch.Tensor) -> None:
    save_file({name: page}, tmp_path / "book.safetensors")
    with pytest.raises(CheckpointError, match=r"book\.safetensors"):
        load_book(tmp_path / "book.safetensors")
    for sound in (torch.zeros(4, 4, dtype=torch.uint8), packed(4, 4, 16)):
        save_file({"notes.13": sound}, tmp_path / "book.safetensors")
        assert load_book(tmp_path / "book.safetensors")


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("notes.13.forms", packed(16, 4, 63)), ("notes.13.forms", packed(12, 4, 48)), ("notes.13.forms", packed(20, 4, 80)),
        ("notes.13.forms", packed(65535, 65535, 2**26)), ("notes.13.forms", torch.zeros(64, dtype=torch.uint8)),
        ("notes.13.forms", torch.zeros(16, 4, dtype=torch.uint8)), ("notes.16.forms", packed(16, 4, 64)), ("clock.13.forms", packed(16, 4, 64)),
    ],
)  # fmt: skip
def test_forms_that_do_not_go_with_a_page_are_refused(tmp_path: Path, name: str, forms: torch.Tensor) -> None:
    file, page = tmp_path / "book.safetensors", packed(4, 4, 16)
    save_file({"notes.13": page, name: forms}, file)
    with pytest.raises(CheckpointError, match=r"book\.safetensors"):
        load_book(file)
    save_file({"notes.13": page, "notes.13.forms": packed(16, 4, 64)}, file)
    planes = load_book(file).planes(0, 13)
    assert planes is not None and planes.shape == (PLANES, 4, 4)


def test_many_small_pages_cannot_become_more_than_there_is_room_for(tmp_path: Path) -> None:
    save_file({f"notes.{size}": packed(2048, 2048, 2**22) for size in range(9)}, tmp_path / "book.safetensors")
    with pytest.raises(CheckpointError, match=r"notes\.\d"):
        load_book(tmp_path / "book.safetensors")
