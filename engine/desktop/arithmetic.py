"""Sums as people type them, worked out exactly in decimal: no 0.1 + 0.2 surprises."""

from __future__ import annotations

import re
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from engine.errors import InputError

ARITHMETIC = Context(prec=28, Emax=9999, Emin=-9999, traps=[DivisionByZero, InvalidOperation, Overflow])
SHOWN_DIGITS = 16
ANSWER = "A"  # stands for the last result in what is typed, so that no digit of it is lost
OPERATORS = "+−×÷"


class Sum:
    """A reader of one sum: + − × ÷, unary minus, brackets, and per cent.

    `a + b%` adds b per cent of a; elsewhere b% is b / 100. `2(3)` multiplies.
    Raises InputError for a sum that is not one, decimal's exceptions where it has no value.
    """

    def __init__(self, text: str, answer: Decimal) -> None:
        self.tokens: list[str] = re.findall(r"\d+\.?\d*|\.\d+|\S", text)
        self.answer = answer

    def value(self) -> Decimal:
        value = self._sum()
        if self.tokens:
            raise InputError("There is a bracket too many")
        return value

    def _next(self, among: str) -> str:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in among else ""

    def _sum(self) -> Decimal:
        value, _ = self._product()
        while sign := self._next("+−"):
            term, share = self._product()
            if share:
                term = ARITHMETIC.multiply(value, term)
            value = ARITHMETIC.add(value, term) if sign == "+" else ARITHMETIC.subtract(value, term)
        return value

    def _product(self) -> tuple[Decimal, bool]:
        """The value, and whether it is a bare percentage."""
        value, share = self._signed()
        while self.tokens and self.tokens[0] not in "+−)":
            sign = self._next("×÷")
            factor, _ = self._signed()
            value = ARITHMETIC.divide(value, factor) if sign == "÷" else ARITHMETIC.multiply(value, factor)
            share = False
        return value, share

    def _signed(self) -> tuple[Decimal, bool]:
        if self._next("−"):
            value, share = self._signed()
            return ARITHMETIC.minus(value), share
        value, share = self._single(), False
        while self._next("%"):
            value, share = ARITHMETIC.divide(value, Decimal(100)), True
        return value, share

    def _single(self) -> Decimal:
        if self._next("("):
            value = self._sum()
            if self.tokens and not self._next(")"):  # brackets left open at the end close themselves
                raise InputError("That is not a sum")
            return value
        token = self.tokens.pop(0) if self.tokens else ""
        if token == ANSWER:
            return self.answer
        if token.strip(".") and (token[0].isdecimal() or token[0] == "."):
            return ARITHMETIC.create_decimal(token)
        raise InputError("Something is missing at the end" if not token else f"“{token}” does not fit there")


def shown(value: Decimal) -> str:
    """A number as people write it: 16 significant digits, a power of ten only where it would not fit."""
    value = Context(prec=SHOWN_DIGITS).plus(value)
    if not value:
        return "0"
    if -8 < value.adjusted() < SHOWN_DIGITS:
        text = f"{value:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        digits, _, power = f"{value.normalize():e}".partition("e")
        text = f"{digits}e{int(power)}"
    return text.replace("-", "−")
