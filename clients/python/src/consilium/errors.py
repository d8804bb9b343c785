"""What can go wrong, each with the rule and who refused.

No message, attribute or representation here holds a password, a token or an answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Optional

_FIRST = re.compile(r"rule ([a-z][\w-]*)(?::\s*|\Z)")
_WITHIN = re.compile(r"(?:`(?P<by>[^`]+)`(?: refuses)?: )?\brule (?P<rule>[a-z][\w-]*)(?=:|\Z)")


@dataclass(frozen=True)
class Refusal:
    """Why an institution is not in an answer."""

    site: str
    rule: Optional[str]
    reason: str

    @classmethod
    def read(cls, site: str, text: str) -> "Refusal":
        """Reads `rule no-dataset: the data set is not here`, or a text that names no rule."""
        rule, reason = split_rule(text)
        return cls(site, rule, reason)

    def __str__(self) -> str:
        rule = f"rule {self.rule}" if self.rule else ""
        return f"site {self.site}: " + ": ".join(part for part in (rule, self.reason) if part)


def split_rule(text: str) -> "tuple[Optional[str], str]":
    """The rule that a reason names, and the reason without it where it stands first."""
    first = _FIRST.match(text)
    if first:
        return first.group(1), text[first.end() :].strip()
    within = _WITHIN.search(text)
    return (within.group("rule") if within else None), text


class ConsiliumError(Exception):
    """Whatever this package raises on purpose.

    `rule` is the rule that decided, where one did; `refused_by` is who refused: the address of the
    node, or the name of an institution; `status` is the HTTP status, where there was an answer.
    """

    def __init__(
        self,
        message: str,
        *,
        rule: Optional[str] = None,
        refused_by: Optional[str] = None,
        status: Optional[int] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.refused_by = refused_by
        self.status = status

    def __str__(self) -> str:
        by = self.refused_by or ""
        rule = f"rule {self.rule}" if self.rule else ""
        return ": ".join(part for part in (by, rule, self.message) if part)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class NotSignedIn(ConsiliumError):
    """There is no session, or it has ended. Questions go on without it."""


class SecondFactorNeeded(NotSignedIn):
    """What was asked for needs a one-time code that is not older than five minutes."""


class Refused(ConsiliumError):
    """The node does not allow it; `rule` says by which rule."""


class NotFound(ConsiliumError):
    """There is no such thing, or you may not know of it."""


class NotReady(ConsiliumError):
    """Something else has to happen first: a project that is not approved by everybody, for example."""


class Invalid(ConsiliumError):
    """The node does not understand what it was given; the message says what to change."""


class NotSupported(Invalid):
    """The node is older than this package and does not know what was asked of it."""


class QueryError(ConsiliumError):
    """A query in SQL that is not answered. `place` is the clause or the name in the query, `advice` what
    to write instead. No value of a row is in it."""

    def __init__(
        self,
        message: str,
        *,
        rule: Optional[str],
        place: str = "",
        advice: str = "",
        refused_by: Optional[str] = None,
        status: Optional[int] = None,
    ) -> None:
        super().__init__(message, rule=rule, refused_by=refused_by, status=status)
        self.place = place
        self.advice = advice

    def __str__(self) -> str:
        where = f" (at {self.place})" if self.place else ""
        return super().__str__() + where + (f"\n  {self.advice}" if self.advice else "")


class QueryFaulty(QueryError, Invalid):
    """The query is no SQL that can be carried out: its text, a name or its types are wrong."""


class QueryWouldShow(QueryError, Refused):
    """The query could show something of a single person; only aggregates over people are shown."""


class QueryTooCostly(QueryError, Refused):
    """The query needs more time, memory or rows than it may have."""


class Busy(ConsiliumError):
    """The node is overloaded, and stayed so until the deadline."""


class NodeFailed(ConsiliumError):
    """The node failed, or what answered is no Consilium node."""


class Unreachable(ConsiliumError):
    """No answer came. `may_have_happened` says whether the request can have been taken all the same."""

    def __init__(self, message: str, *, refused_by: Optional[str] = None, may_have_happened: bool) -> None:
        super().__init__(message, refused_by=refused_by)
        self.may_have_happened = may_have_happened


class DeadlinePassed(ConsiliumError):
    """The answer did not come in time. The question goes on; `question_id` takes it up again."""

    def __init__(self, message: str, *, question_id: str) -> None:
        super().__init__(message)
        self.question_id = question_id


class NoAnswer(ConsiliumError):
    """A question ended without an answer. `missing` says which institutions were not in it, and why."""

    def __init__(self, reason: str, *, question_id: str, missing: Dict[str, Refusal]) -> None:
        rule, message = split_rule(reason)
        within = _WITHIN.search(reason)
        # `the aggregator `east` refuses: rule overlap: …` says who, and stays as it is.
        super().__init__(message, rule=rule, refused_by=within.group("by") if within else None)
        self._is_told = message == reason
        self.question_id = question_id
        self.missing = missing

    def __str__(self) -> str:
        lines = [self.message if self._is_told else super().__str__(), *(str(one) for one in self.missing.values())]
        return "\n  ".join(lines)


class QuestionError(ConsiliumError, ValueError):
    """A question that cannot be right: said here, before anything is sent."""


class FormulaError(QuestionError):
    """What is wrong in a formula, and where: `place` counts characters from 0."""

    def __init__(self, what: str, text: str, place: int) -> None:
        place = max(0, min(place, len(text)))
        super().__init__(f"{what}\n    {text}\n    {' ' * place}^")
        self.what = what
        self.text = text
        self.place = place


class MissingExtra(ConsiliumError, ImportError):
    """An optional package is not installed; the message says which."""
