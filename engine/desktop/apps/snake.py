"""Snake: eat, grow, stay off the walls and off yourself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from engine.desktop.app import App, System
from engine.desktop.canvas import Canvas
from engine.geometry import Rect
from engine.open_work import rows_of
from engine.scene import Touch
from engine.theme import Role
from engine.typeface import width

COLUMNS, ROWS = 20, 14
SEEING = 6  # pixels: of the smallest head that has eyes
EDGE, ABOVE = 2, 8  # pixels: around the board, and from there to the scores above it
FULL_STEP = 10  # a move is due whenever this much pace has gathered
FIRST_PACE, LAST_PACE = 5, 8  # gathered a tick: five moves a second at first
EATEN_A_PACE = 6  # so much food makes it one faster
WAITING_TURNS = 2  # quick turns are kept and taken one a move
HEADINGS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
LETTERS = {"a": "left", "d": "right", "w": "up", "s": "down"}
Cell = tuple[int, int]


class Snake(App):
    """`body` is head first, in cells of a board of 20 x 14; `phase` is the pace since the last move."""

    name: ClassVar[str] = "Snake"
    icon: ClassVar[str] = "snake"
    size: ClassVar[tuple[int, int]] = (316, 252)
    least: ClassVar[tuple[int, int]] = (176, 140)
    first_focus: ClassVar[str] = "field"

    def __init__(self, system: System, state: dict[str, Any], **how: Any) -> None:
        super().__init__(system, state)
        self.best: int = state.get("best", 0)
        if state:
            self.body: list[Cell] = [(x, y) for x, y in state["body"]]
            self.food: Cell = (state["food"][0], state["food"][1])
            self.heading: str = state["heading"]
            self.turns: list[str] = list(state["turns"])
            self.phase: int = state["phase"]
            self.paused: bool = state["paused"]
            self.over: bool = state["over"]
        else:
            self._begin()

    def state(self) -> dict[str, Any]:
        return {
            "body": [list(cell) for cell in self.body],
            "food": list(self.food),
            "heading": self.heading,
            "turns": list(self.turns),
            "phase": self.phase,
            "paused": self.paused,
            "over": self.over,
            "best": self.best,
        }

    def shown_page(self) -> str:
        return "over" if self.over else "paused" if self.paused else ""

    def listed(self) -> list[str]:
        """How the game stands, its value in JSON behind a tab."""
        return rows_of(self.state())

    @property
    def score(self) -> int:
        return len(self.body) - 3

    @property
    def _won(self) -> bool:
        return len(self.body) == COLUMNS * ROWS

    # The game

    def _begin(self) -> None:
        y = ROWS // 2
        self.body = [(5, y), (4, y), (3, y)]
        self.heading, self.turns, self.phase = "right", [], 0
        self.paused = self.over = False
        self.food = self._free_cell()

    def _free_cell(self) -> Cell:
        taken = set(self.body)
        free = [(x, y) for y in range(ROWS) for x in range(COLUMNS) if (x, y) not in taken]
        return free[self.system.random(len(free))]

    def tick(self) -> bool:
        if self.paused or self.over:
            return False
        if not self.in_front:
            self.paused = True
            return True
        self.phase += min(FIRST_PACE + self.score // EATEN_A_PACE, LAST_PACE)
        if self.phase < FULL_STEP:
            return False
        self.phase -= FULL_STEP
        self._move()
        return True

    def _move(self) -> None:
        if self.turns:
            self.heading = self.turns.pop(0)
        dx, dy = HEADINGS[self.heading]
        head = (self.body[0][0] + dx, self.body[0][1] + dy)
        eats = head == self.food
        rest = self.body if eats else self.body[:-1]
        if head in rest or not (0 <= head[0] < COLUMNS and 0 <= head[1] < ROWS):
            self.over = True
            return
        self.body = [head, *rest]
        self.best = max(self.best, self.score)
        if eats and not self._won:
            self.food = self._free_cell()
        self.over = self._won

    # Input

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        if mods:
            return False
        if self.over:
            if key in ("enter", "space"):
                self._begin()
            return key in ("enter", "space")
        if key in ("space", "p") or (key == "enter" and self.paused):
            self._pause()
            return True
        return self._turn(LETTERS.get(key, key))

    def _turn(self, heading: str) -> bool:
        if heading not in HEADINGS:
            return False
        last = self.turns[-1] if self.turns else self.heading
        back = (-HEADINGS[last][0], -HEADINGS[last][1])
        if heading != last and HEADINGS[heading] != back and len(self.turns) < WAITING_TURNS:
            self.turns.append(heading)
        self.paused = False
        return True

    def _pause(self) -> None:
        self.paused = not self.paused

    def _press(self, x: int, y: int, clicks: int, mods: tuple[str, ...]) -> None:
        """A click goes on after a pause, and starts a new game after the last."""
        if self.over:
            self._begin()
        else:
            self.paused = False

    def menu(self) -> list[tuple[str, Callable[[], None]]]:
        pause = [] if self.over else [("Go on" if self.paused else "Pause", self._pause)]
        return [*pause, ("New game", self._begin)]

    # Drawing

    def draw(self, canvas: Canvas) -> None:
        board, area = board_in(canvas.rect, canvas.line), canvas.rect.inset(8, 0, 8, 0)
        narrow = board.w < 10 * canvas.face.size  # then the scores take the window's width
        x, w = (area.x, area.w) if narrow else (board.x - EDGE, board.w + 2 * EDGE)
        self._draw_scores(canvas, Rect(x, board.y - ABOVE - canvas.line, w, canvas.line))
        self._draw_board(canvas, board)
        message = self._message()
        if message[0]:
            self._draw_message(canvas, board, message)

    def _message(self) -> tuple[str, str]:
        if self.over:
            return ("The board is yours" if self._won else "Game over"), "Enter: again"
        return ("Paused", "Space: go on") if self.paused else ("", "")

    def _draw_scores(self, canvas: Canvas, head: Rect) -> None:
        best = f"Best {self.best}"
        room = min(width(canvas.face, best), head.w // 2)
        score = Rect(head.x, head.y, head.w - room - 8, head.h)
        canvas.label("score", score, f"Score {self.score}", face=canvas.styled("bold"))
        canvas.label("best", Rect(head.right - room, head.y, room, head.h), best, Role.MUTED, align="right")

    def _draw_board(self, canvas: Canvas, board: Rect) -> None:
        touch = Touch(key=self.key, press=self._press, menu=self.menu, focusable=True)
        frame = board.grow(EDGE)
        status = self._message()[0] or "Playing"
        widget = canvas.widget("canvas", "field", frame, touch, status, self.score)
        canvas.fill(frame, Role.FIELD, "field")
        canvas.outline(frame, Role.ACCENT if "focused" in widget.state else Role.BORDER, shape="field")

        place = partial(cell_in, board)
        if not self._won:
            food = place(self.food)
            canvas.mark(food.grow(max(food.w * 2 // 5, 1)), "radio", Role.INK)
        for cell in self.body[1:]:
            canvas.fill(filled(place(cell)), Role.ACCENT, "plain")
        self._draw_head(canvas, filled(place(self.body[0])))

    def _draw_head(self, canvas: Canvas, box: Rect) -> None:
        canvas.fill(box, Role.INK if self.over else Role.ACCENT, "plain")
        if box.w < SEEING:
            return
        for eye in eyes_in(box, self.heading):
            canvas.fill(eye, Role.FIELD if self.over else Role.ACCENT_INK, "plain")

    def _draw_message(self, canvas: Canvas, board: Rect, message: tuple[str, str]) -> None:
        title, hint = message
        bold = canvas.styled("bold", 2)
        w = min(max(width(bold, title), width(canvas.face, hint)) + 28, board.w)
        h = min(canvas.line * 2 + 22, board.h)
        share = 2 if self.body[0][1] < ROWS // 2 else 1  # in the half of the board where the head is not
        box = Rect(board.x + (board.w - w) // 2, board.y + (board.h - h) * share // 3, w, h)
        canvas.fill(box, Role.SURFACE, "menu")
        canvas.outline(box, shape="menu")
        upper = Rect(box.x + 8, box.y + 8, box.w - 16, h // 2 - 8)
        canvas.text_in(upper, title, Role.INK, bold, "centre")
        lower = Rect(upper.x, upper.bottom, upper.w, h // 2 - 8)
        canvas.label("hint", lower, hint, Role.MUTED, align="centre")


def cell_in(board: Rect, cell: Cell) -> Rect:
    """Where a cell of a board stands."""
    side = board.w // COLUMNS
    return Rect(board.x + cell[0] * side, board.y + cell[1] * side, side, side)


def filled(cell: Rect) -> Rect:
    """How much of a cell a snake fills."""
    gap = 1 if cell.w > 4 else 0
    return cell.inset(0, 0, gap, gap)


def eyes_in(head: Rect, heading: str) -> list[Rect]:
    """Where the eyes of a head are that fills so much of its cell, and looks there."""
    dx, dy = HEADINGS[heading]
    eye = max(head.w // 5, 2)
    x, y = head.x + (head.w - eye) // 2, head.y + (head.h - eye) // 2
    ahead, apart = head.w // 5, head.w // 4
    return [Rect(x + dx * ahead + turn * dy * apart, y + dy * ahead + turn * dx * apart, eye, eye) for turn in (-1, 1)]


def board_in(content: Rect, line: int) -> Rect:
    """Where the board stands in what a window holds, cells of whole pixels; line: how high a line of text is."""
    area = content.inset(8, 6, 8, 8)
    side = max(min((area.w - 2 * EDGE) // COLUMNS, (area.h - line - 10) // ROWS), 3)
    w, h, room = side * COLUMNS, side * ROWS, area.inset(0, line + 6, 0, 0)
    return Rect(room.x + (room.w - w) // 2, room.y + (room.h - h) // 2, w, h)
