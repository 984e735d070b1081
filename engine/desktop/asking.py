"""What the ask bar makes of a sentence: an app or document by name, a step of the strip, a layout, an instruction that the
rules understand, or one for a painter that turns the screen into something else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine.desktop.arranging import Arrangement, arrangement
from engine.desktop.documents import Documents
from engine.desktop.looks import look, said_after, says_a_look
from engine.style_negations import denies

TEXT_SIZES = (11, 13, 16, 20)
TURNING = r"(turn|transform|change|convert) .+ into .+|(add|remove|replace|erase|put|draw|paint|give) .+"  # never a look
STRENGTHS = {"slightly": 0.3, "a little": 0.3, "by half": 0.5, "strongly": 0.8, "a lot": 0.8, "completely": 1.0}
_LARGER, _SMALLER = "bigger|larger|large|big", "smaller|small|tiny"
_OPEN = r"(?:open|start|show)(?: me)? (?:(?:the|my) )?(?P<all>(?:(?:file|document|note|text|picture|drawing) )?(?P<name>.+?))(?: app| window| file| document)?"
_NEW = r"(?:(?:open|start|begin|make|create|write)(?: me)? )?(?:an? )?(?:new|blank|empty) (?:(?P<note>note|document|text)|picture|drawing|painting)"
CANNOT = "This checkpoint can't do “{}”; one that edits can, like FLUX.2 klein. Ask for an app, style or layout."


@dataclass(frozen=True, slots=True)
class Answer:
    """One of: open an app, and choose an `entry` of its menu, open a document, arrange windows, change a preference, go to a step of the strip, start from a
    picture, keep the picture that is shown, turn it into something else; or a plain refusal in `message`."""

    open: str = ""
    entry: str = ""
    document: str = ""
    arrange: Arrangement | None = None
    prefer: tuple[str, object] | None = None
    step: str = ""  # its number, or the key that leads there, as of `Strip.beside`
    start: str = ""
    keep: bool = False
    turn: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a sentence is said of. style: the words of now; picture: whether a step of the strip is shown, or a region chosen; turns: whether
    who paints can turn it into something else."""

    text_size: int
    style: str
    picture: bool = False
    turns: bool = False


def answer(sentence: str, apps: Sequence[str], documents: Documents, shown: Shown) -> Answer:
    """Understand a sentence. An app's name beats every other reading; case does not matter.

    A look stays a look on the desktop; of a picture everything that is no name and no command is an instruction.
    """
    text = " ".join(sentence.split())
    folded = text.casefold()
    asked = folded.rstrip(" .!?").removeprefix("please ").removesuffix(" please").rstrip(",")
    verb = re.fullmatch(_OPEN, asked)
    for said in (folded, asked, *((verb["all"], verb["name"], verb["name"].strip("\"“”'‘’")) if verb else ())):
        if name := named(said, apps, documents):
            return Answer(open=name) if name in apps else Answer(document=name)
    if new := re.fullmatch(_NEW, asked):
        return Answer(open="Notes", entry="New note") if new["note"] else Answer(open="Paint", entry="New picture")
    if command := _command(folded, documents, shown):
        return command
    wish = arrangement(folded, partial(named, apps=apps, documents=documents))
    if wish and not wish.lost and not (shown.picture and _of_the_picture(wish, folded)):
        return Answer(arrange=wish)
    if shown.turns and (shown.picture or re.fullmatch(TURNING, folded)):
        return Answer(turn=text)
    if re.search(r"\b(text|font|letters?|bigger|larger|smaller)\b", folded):
        size = _text_size(folded, shown.text_size)
        if size:
            return Answer(prefer=("text_size", size), message=f"Text size {size}.")
    if says_a_look(text, documents):
        message = f"Style: {text}. {unknown_in(text, documents)}".strip()
        return Answer(prefer=("style", said_after(shown.style, text, documents)), message=message)
    starts = [app for app in apps if len(folded) > 1 and app.casefold().startswith(folded)]
    if starts:
        return Answer(open=starts[0])
    if wish and not (shown.turns and not folded.startswith(("maximi", "minimi"))):  # "hide the icons" can be painted
        return Answer(arrange=wish)
    return Answer(turn=text) if shown.turns else Answer(message=CANNOT.format(text))


def unknown_in(text: str, documents: Documents) -> str:
    """What is said of a look's words that mean nothing; "" where all mean something."""
    unknown = look(text, documents)[1]
    return f"I don't know: {', '.join(unknown)}." if unknown else ""


def named(said: str, apps: Sequence[str], documents: Documents) -> str:
    """The app, or else the document with or without its ending, that is called so whatever the case; "" for none."""
    app = next((app for app in apps if app.casefold() == said), "")
    return app or next((n for n in documents.names() if said in (n.casefold(), n.rpartition(".")[0].casefold())), "")


def _of_the_picture(wish: Arrangement, folded: str) -> bool:
    """Whether what reads as a layout is, while a picture is shown, rather about what it shows: "hide it", "put this on the left"."""
    return not (wish.names or re.search(r"\bwindows\b|m(ax|in)imi[sz]e", folded))


def _command(folded: str, documents: Documents, shown: Shown) -> Answer | None:
    """What is said to the strip."""
    if step := re.fullmatch(r"(?:go )?(?:back )?(?:to )?step (\d+)", folded):
        return Answer(step=step[1])
    if shown.picture and (where := re.fullmatch(r"(?:(?:go|show) )?(?:back to )?(?:the )?(desktop|back|forward)", folded)):
        return Answer(step={"desktop": "0", "back": "left", "forward": "right"}[where[1]])
    if shown.picture and re.fullmatch(r"(save|keep)(?: (?:this|the|it|picture|this picture|the picture))?", folded):
        return Answer(keep=True)
    named = re.fullmatch(r"(?:start|begin) (?:from|with) (.+)", folded)
    found = documents.picture_named(named[1]) if named else ""
    return Answer(start=found) if found else None


def reference_in(sentence: str, documents: Documents) -> str:
    """The picture of the folder that an instruction refers to at its end, as "... like Harbour"; "" for none."""
    said = re.fullmatch(r".+ (?:like|as in|from|with) (?:the (?:picture )?)?(.+)", sentence.casefold())
    return documents.picture_named(said[1]) if said else ""


def strength_in(sentence: str) -> tuple[str, float]:
    """An instruction without how much is to be painted over, and that share: "..., slightly", "... at 70 %"; 0 where nothing is
    said of it."""
    said = re.fullmatch(rf"(.+?)(?:, *({'|'.join(STRENGTHS)})|,? (?:at|by) (\d{{1,3}}) ?%)[.!]?", sentence, re.IGNORECASE)
    if said is None:
        return sentence, 0.0
    return said[1], STRENGTHS[said[2].casefold()] if said[2] else min(max(int(said[3]), 1), 100) / 100


def _text_size(folded: str, now: int) -> int:
    number = re.search(r"\b(\d+)\b", folded)
    if number:
        return min(TEXT_SIZES, key=lambda size: abs(size - int(number[1])))
    if denies(folded, f"{_LARGER}|{_SMALLER}"):
        return 0
    if re.search(rf"\b({_LARGER})\b", folded):
        return next((size for size in TEXT_SIZES if size > now), TEXT_SIZES[-1])
    if re.search(rf"\b({_SMALLER})\b", folded):
        return next((size for size in reversed(TEXT_SIZES) if size < now), TEXT_SIZES[0])
    return 13 if re.search(r"\b(normal|default|usual)\b", folded) else 0
