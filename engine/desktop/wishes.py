"""What a sentence said to the ask bar asks for, done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.desktop.apps.registry import APPS
from engine.desktop.arranging import arrange
from engine.desktop.asking import Shown, answer, unknown_in
from engine.desktop.documents import PICTURE, kind_of
from engine.desktop.looks import said_after
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.desktop.desktop import Desktop


def grant(desktop: Desktop, sentence: str) -> None:
    """Do it; what cannot be done is said."""
    turning = desktop.turning
    shown = Shown(desktop.text_size, desktop.style_words, bool(turning.shown or turning.region), turning.turns)
    reply = answer(sentence, list(APPS), desktop.documents, shown)
    if reply.open:
        desktop.open(reply.open)
        if reply.entry and (window := desktop.stack.of(reply.open)):
            dict(window.app.menu())[reply.entry]()
    elif reply.document:
        desktop.open("Paint" if kind_of(reply.document) == PICTURE else "Notes", document=reply.document)
    elif reply.prefer:
        desktop.prefer(*reply.prefer)
    try:
        turning.ask(reply)
        if reply.arrange:
            arrange(desktop, reply.arrange)
    except InputError as error:
        desktop.say(str(error))
    if reply.message:
        desktop.say(reply.message)


def restyle(desktop: Desktop, words: str) -> None:
    """Look as the words say, on top of the look of now unless they name one; those that mean nothing are said."""
    desktop.prefer("style", said_after(desktop.style_words, words, desktop.documents))
    if unknown := unknown_in(words, desktop.documents):
        desktop.say(unknown)
