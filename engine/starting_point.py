"""Where a trace starts: a desktop with its documents as one JSON object, and back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Content, Documents
from engine.errors import PixelOSError, TraceError
from engine.trace import Header


def capture(desktop: Desktop) -> dict[str, Any]:
    """The desktop's state and its documents, for a trace's header. Pictures are {"base64": text}."""
    packed: dict[str, Any] = {}
    for name, content in desktop.documents.contents.items():
        packed[name] = content if isinstance(content, str) else {"base64": base64.b64encode(content).decode("ascii")}
    steps = {str(n): base64.b64encode(picture).decode("ascii") for n, picture in desktop.turning.strip.pictures.items()}
    return {**desktop.state(), "documents": packed, **({"steps": steps} if steps else {})}


def open_desktop(header: Header, size: tuple[int, int] | None = None) -> Desktop:
    """The desktop as the header has it, in the style it names. Raises TraceError (line 1) if that is no desktop."""
    state = dict(header.state or {})
    try:
        documents = _documents(state.pop("documents", {}))
        pictures = {int(n): base64.b64decode(picture, validate=True) for n, picture in state.pop("steps", {}).items()}
        desktop = Desktop(size or header.size, documents, header.start, state, pictures=pictures)
        if header.style is not None:
            desktop.prefer("style", header.style)
        desktop.sheet, desktop.loras  # noqa: B018 - here, so that a state no app can draw is refused before anything is played
    except TraceError:
        raise
    except PixelOSError as error:
        raise TraceError(f"the header's state cannot be used: {error}", 1) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise TraceError(
            f"the header's state is not one that Pixel OS wrote ({type(error).__name__}: {error}); record it again", 1
        ) from error
    return desktop


def _documents(packed: Mapping[str, Any]) -> Documents:
    contents: dict[str, Content] = {}
    for name, content in packed.items():
        if isinstance(content, str):
            contents[name] = content
            continue
        try:
            contents[name] = base64.b64decode(content["base64"], validate=True)
        except (binascii.Error, KeyError, TypeError) as error:
            raise TraceError(f"document {name!r} in the state is neither text nor base64", 1) from error
    return Documents(contents)
