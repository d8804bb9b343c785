"""A question that is ready to be sent, and checks that all kinds share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Generic, Iterable, List, Sequence, Tuple, Type, TypeVar, Union

from .. import answers
from ..errors import QuestionError

A = TypeVar("A", bound=answers.Answer)
Names = Union[str, Iterable[str]]


@dataclass(frozen=True)
class Draft(Generic[A]):
    """A question that is ready to be sent."""

    analysis: Dict[str, Any]
    variables: Tuple[str, ...]
    answer: Type[A]
    #: About how many rounds it takes, for progress bars.
    rounds: int


def one_of(what: str, given: str, known: Sequence[str]) -> None:
    """Raises `QuestionError` for a word that is not among those known."""
    if given not in known:
        raise QuestionError(f"`{what}` is one of {', '.join(f'`{one}`' for one in known)}")


def some(names: Names, least: int = 1) -> List[str]:
    """The names in a list, `least` of them or more."""
    out = [names] if isinstance(names, str) else list(names)
    if len(out) < least:
        raise QuestionError("name at least one variable" if least == 1 else f"name at least {least} variables")
    return out


def once(names: Iterable[str]) -> Tuple[str, ...]:
    """Each name once."""
    return tuple(dict.fromkeys(names))
