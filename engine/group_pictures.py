"""Groups of items as they were drawn before: a window that moves, or comes again, is not drawn again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from engine.drawing import Fill, Glyphs, Group, Item, Mark, Outline, Picture
from engine.plain import Drawing


class GroupPictures:
    """Remembers pictures of at most `most` pixels in all, nine bytes each; those asked for longest ago are dropped first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, Drawing] = OrderedDict()

    def of(self, group: Group) -> Drawing | None:
        """The group drawn from its own corner, without what lies beneath; None where it cannot be."""
        rect = group.rect
        if not rect or rect.area > self._most or not all(rect.covers(item.rect) for item in group.items):
            return None
        items = tuple(_shifted(item, -rect.x, -rect.y) for item in group.items)
        key = tuple(map(type, items)), items
        picture = self._known.get(key)
        if picture is None:
            picture = self._known[key] = Drawing((rect.w, rect.h))
            picture.draw(group._replace(items=items, fill=items[0]), items, picture.frame)
            while sum(known.frame.area for known in self._known.values()) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return picture


def _shifted(item: Item, dx: int, dy: int) -> Item:
    rect = item.rect.shift(dx, dy)
    if isinstance(item, Glyphs):
        return Glyphs(rect, item.role, item.x + dx, item.y + dy, item.text, item.face)
    whole = item.whole.shift(dx, dy)
    if isinstance(item, Fill):
        return Fill(rect, item.role, item.shape, whole)
    if isinstance(item, Outline):
        return Outline(rect, item.role, item.shape, whole, item.width)
    if isinstance(item, Mark):
        return Mark(rect, item.role, item.name, whole)
    return Picture(rect, item.role, item.key, whole, item.pixels)
