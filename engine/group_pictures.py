"""Groups of items as they were drawn before: a window that moves, or comes again, is not drawn again."""

from __future__ import annotations

from engine.drawing import Fill, Glyphs, Group, Item, Mark, Outline, Picture
from engine.plain import Drawing


class GroupPictures:
    """Remembers pictures of at most `most` pixels in all, nine bytes each; those asked for longest ago are dropped first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: list[tuple[Group, Drawing]] = []  # what was asked for last stands last

    def of(self, group: Group) -> Drawing | None:
        """The group drawn from its own corner, without what lies beneath; None where it cannot be."""
        for i, (known, picture) in enumerate(self._known):
            if _alike(known, group):
                self._known.append(self._known.pop(i))
                return picture
        rect = group.rect
        if not rect or rect.area > self._most or not all(rect.covers(item.rect) for item in group.items):
            return None
        items = tuple(_shifted(item, -rect.x, -rect.y) for item in group.items)
        begins, picture = items[0], Drawing((rect.w, rect.h))
        assert isinstance(begins, Fill)  # only what one begins hides anything
        picture.draw(Group(items, begins, group.edge), items, picture.frame)
        self._known.append((group, picture))
        while sum(picture.frame.area for _, picture in self._known) > self._most:
            del self._known[0]
        return picture


def _alike(one: Group, other: Group) -> bool:
    """Whether they differ only in where they stand."""
    here, there = one.rect, other.rect
    if len(one.items) != len(other.items) or (here.w, here.h) != (there.w, there.h):
        return False
    dx, dy = there.x - here.x, there.y - here.y
    pairs = zip(one.items, other.items, strict=True)
    if dx or dy:
        return all(type(a) is type(b) and _shifted(a, dx, dy) == b for a, b in pairs)
    return all(a is b or (type(a) is type(b) and a == b) for a, b in pairs)


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
