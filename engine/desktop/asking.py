"""What the ask bar makes of a sentence: an app or document by name, or an instruction the rules understand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.desktop.documents import Documents
from engine.desktop.looks import look, says_a_look
from engine.style_words import added

TEXT_SIZES = (11, 13, 16, 20)


@dataclass(frozen=True, slots=True)
class Answer:
    """One of: open an app, open a document, close an app, change a preference; or a plain refusal in `message`."""

    open: str = ""
    document: str = ""
    close: str = ""
    prefer: tuple[str, object] | None = None
    message: str = ""


def answer(sentence: str, apps: Sequence[str], documents: Documents, text_size: int, style: str) -> Answer:
    """Understand a sentence. An app's name beats every other reading; case does not matter. style: the words of now."""
    text = " ".join(sentence.split())
    folded = text.casefold()
    named = {app.casefold(): app for app in apps}
    if folded in named:
        return Answer(open=named[folded])
    verb = re.fullmatch(r"(open|start|show|close|quit) (?:the )?(.+?)(?: app| window)?", folded)
    if verb and verb[2] in named:
        app = named[verb[2]]
        return Answer(close=app) if verb[1] in ("close", "quit") else Answer(open=app)
    for name in documents.names():
        if folded in (name.casefold(), name.rpartition(".")[0].casefold()):
            return Answer(document=name)
    if re.search(r"\b(text|font|letters?|bigger|larger|smaller)\b", folded):
        size = _text_size(folded, text_size)
        if size:
            return Answer(prefer=("text_size", size), message=f"Text size {size}.")
    if says_a_look(text, documents):
        unknown = look(text, documents)[1]
        note = f" I don't know: {', '.join(unknown)}." if unknown else ""
        return Answer(prefer=("style", added(style, text)), message=f"Style: {text}.{note}")
    starts = [app for app in apps if len(folded) > 1 and app.casefold().startswith(folded)]
    if starts:
        return Answer(open=starts[0])
    return Answer(message=f"I can't do “{text}” yet. Ask for an app, a document, a style, or bigger text.")


def _text_size(folded: str, now: int) -> int:
    number = re.search(r"\b(\d+)\b", folded)
    if number:
        return min(TEXT_SIZES, key=lambda size: abs(size - int(number[1])))
    if re.search(r"\b(bigger|larger|large|big)\b", folded):
        return next((size for size in TEXT_SIZES if size > now), TEXT_SIZES[-1])
    if re.search(r"\b(smaller|small|tiny)\b", folded):
        return next((size for size in reversed(TEXT_SIZES) if size < now), TEXT_SIZES[0])
    return 13 if re.search(r"\b(normal|default|usual)\b", folded) else 0
