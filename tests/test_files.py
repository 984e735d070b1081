"""Files, as a user uses it."""

from __future__ import annotations

from engine.desktop import bitmap
from tests.user import PAPERS, User


def rows(user: User) -> list[str]:
    return user.names("row")


def test_documents_are_listed_by_name_with_their_length() -> None:
    user = User("files", documents=PAPERS)
    assert rows(user) == ["Alpha.txt", "beta.md", "gamma.md"]
    assert {"1 word", "2 words", "empty"} <= set(user.texts)


def test_a_double_click_opens_a_document_in_its_app() -> None:
    user = User("files", documents=PAPERS)
    user.clicks("beta.md", times=2)
    assert user.app.name == "Notes"


def test_a_picture_opens_in_paint_by_keyboard() -> None:
    user = User("files", documents={**PAPERS, "Sun.png": bitmap.encode(bitmap.blank(64, 48))})
    user.presses("s", "enter")
    assert user.app.name == "Paint" and user.app.document == "Sun.png"


def test_delete_and_bring_back() -> None:
    user = User("files", documents=PAPERS)
    user.presses("end", "delete")
    assert rows(user) == ["Alpha.txt", "beta.md"]
    user.presses("ctrl+z")
    assert rows(user) == ["Alpha.txt", "beta.md", "gamma.md"]
    user.clicks("Alpha.txt")
    user.clicks("Delete")
    user.clicks("Bin")
    assert rows(user) == ["Alpha.txt"]
    user.clicks("Alpha.txt", times=2)
    user.clicks("Documents")
    assert rows(user) == ["Alpha.txt", "beta.md", "gamma.md"]


def test_the_bin_is_emptied_only_by_a_second_click() -> None:
    user = User("files", documents=PAPERS)
    user.presses("home", "delete")
    user.clicks("Bin")
    user.clicks("Empty bin")
    assert rows(user) == ["Alpha.txt"]
    assert user.sees("Empty bin").text == "Click again"
    user.clicks("Empty bin")
    assert rows(user) == [] and user.documents.names(binned=True) == []


def test_renaming_in_place() -> None:
    user = User("files", documents=PAPERS)
    user.presses("b", "ctrl+r")
    user.types("Delta")
    assert user.sees("new name").text == "Delta.md"
    user.presses("enter")
    assert rows(user) == ["Alpha.txt", "Delta.md", "gamma.md"]
    assert user.documents.text("Delta.md") == "two words"
    assert "selected" in user.sees("Delta.md").state


def test_a_name_that_is_taken_is_refused_in_words() -> None:
    user = User("files", documents=PAPERS)
    user.clicks("beta.md")
    user.clicks("Rename")
    user.presses("ctrl+a")
    user.types("gamma")
    user.presses("enter")
    assert "taken" in user.notice
    user.presses("escape")
    assert rows(user) == ["Alpha.txt", "beta.md", "gamma.md"]


def test_the_context_menu_of_a_document() -> None:
    user = User("files", documents=PAPERS)
    user.right_clicks("gamma.md")
    assert {"Open", "Rename", "Delete"} <= set(user.names("entry"))
    user.clicks("menu/Delete")
    assert rows(user) == ["Alpha.txt", "beta.md"]


def test_a_long_list_scrolls_with_the_selection_and_the_wheel() -> None:
    user = User("files", documents={f"note {i:03}.md": "" for i in range(60)})
    user.presses("end")
    assert rows(user)[-1] == "note 059.md"
    user.turns_wheel("Files/documents", 40)
    assert rows(user)[0] == "note 000.md"
    user.presses("home", "down")
    assert "selected" in user.sees("note 001.md").state


def test_an_empty_folder_says_so() -> None:
    user = User("files")
    assert user.sees("No documents yet.")
    user.presses("down", "enter", "delete", "ctrl+r")
