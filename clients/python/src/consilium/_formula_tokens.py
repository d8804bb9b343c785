"""The words and signs of a formula, each with its place."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from .errors import FormulaError

_TOKEN = re.compile(
    r"\s*(?:(?P<quoted>`[^`]*`)|(?P<string>\"[^\"]*\"|'[^']*')|(?P<name>[^\W\d][\w.]*|\.[^\W\d][\w.]*)"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<sign>%in%|\*\*|[~+\-*/:^(),|.=]))"
)


class Tokens:
    """The words and signs of a text, read from the left."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.at = 0

    def _tokens(self) -> List[Tuple[str, str, int]]:
        out = []
        at = 0
        end = len(self.text.rstrip())
        while at < end:
            match = _TOKEN.match(self.text, at)
            if match is None:
                place = at + len(self.text[at:]) - len(self.text[at:].lstrip())
                raise self.fault(f"`{self.text[place]}` has no meaning here", place)
            kind = match.lastgroup or ""
            out.append((kind, match.group(kind), match.start(kind)))
            at = match.end()
        return out

    def fault(self, what: str, place: Optional[int] = None) -> FormulaError:
        return FormulaError(what, self.text, self.place() if place is None else place)

    def place(self) -> int:
        return self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)

    def peek(self, ahead: int = 0) -> Tuple[str, str]:
        at = self.at + ahead
        return self.tokens[at][:2] if at < len(self.tokens) else ("end", "")

    def take(self) -> Tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def has(self, *signs: str) -> Optional[str]:
        kind, text = self.peek()
        if kind == "sign" and text in signs:
            self.at += 1
            return text
        return None

    def need(self, sign: str, what: str) -> None:
        if not self.has(sign):
            raise self.fault(what)
