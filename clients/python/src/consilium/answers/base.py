"""What all answers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, List, Optional, Type, TypeVar

from ..errors import ConsiliumError, NodeFailed, Refusal
from ..rendering import Table, Tabled
from . import decoding

A = TypeVar("A", bound="Answer")


@dataclass(frozen=True, repr=False)
class Answer(Tabled):
    """An answer: numbers about many people, and on how many it rests."""

    #: Rows that went into it, over all institutions.
    rows: int
    #: Rows that were left out for a missing value.
    dropped: int
    #: Institutions in it.
    sites: int
    #: Rounds it took.
    rounds: int
    #: Institutions that are not in it, and why.
    missing: Dict[str, Refusal]
    #: What was asked, as it was sent.
    asked: Dict[str, Any]
    #: What was found, as the node wrote it.
    finding: Dict[str, Any]
    #: Where the project asks for differential privacy: how much noise was added, as the node tells it.
    noise: Optional[Dict[str, Any]]

    #: The node's word for this kind of finding.
    kind: ClassVar[str] = ""

    @classmethod
    def read(cls: Type[A], answer: Dict[str, Any], *, asked: Dict[str, Any], missing: Dict[str, Refusal]) -> A:
        """From the node's JSON."""
        try:
            finding = dict(answer["finding"])
            shared: Dict[str, Any] = {
                "rows": answer["n"],
                "dropped": answer["dropped"],
                "sites": answer["sites"],
                "rounds": answer["rounds"],
                "missing": missing,
                "asked": asked,
                "finding": finding,
                "noise": answer.get("noise"),
            }
        except (KeyError, TypeError, ValueError):
            raise NodeFailed("the node's answer cannot be read by this version of the package") from None
        if cls.kind and finding.get("kind") != cls.kind:
            raise ConsiliumError(f"the answer is a `{finding.get('kind')}`, not a `{cls.kind}`")
        own = {
            one.name: decoding.value(one.type, finding.get(one.key), f"{cls.kind}.{one.key}")
            for one in decoding.fields(cls)
            if one.name not in shared and (one.key in finding or not one.is_optional)
        }
        return cls(**shared, **own)

    def lines(self) -> List[str]:
        places = "institution" if self.sites == 1 else "institutions"
        parts = [f"{self.rows:,} rows at {self.sites} {places}"]
        if self.dropped:
            parts.append(f"{self.dropped:,} left out for a missing value")
        parts.append("1 round" if self.rounds == 1 else f"{self.rounds} rounds")
        told = [f"with noise for privacy: {_told(self.noise)}"] if self.noise else []
        return ["; ".join(parts), *told, *(f"not in it: {one}" for one in self.missing.values())]

    def tables(self) -> List[Table]:
        return []

    def plot(self, ax: Any = None) -> Any:
        """Draws the answer with matplotlib on `ax`, or on axes of its own, which are returned."""
        raise ConsiliumError(f"there is no drawing of a {type(self).__name__}")

    def _asks(self, name: str, otherwise: Any = None) -> Any:
        return self.asked.get(name, otherwise)


def _told(noise: Dict[str, Any]) -> str:
    """What a node tells of noise, in one line: words and numbers, whatever they are called."""
    plain = {key: value for key, value in noise.items() if isinstance(value, (int, float, str))}
    return ", ".join(f"{'ε' if key == 'epsilon' else key.replace('_', ' ')} {value}" for key, value in plain.items())


@dataclass(frozen=True, repr=False)
class Other(Answer):
    """An answer of a kind that this version of the package does not know: see `finding`."""

    def lines(self) -> List[str]:
        kind = self.finding.get("kind")
        return [*super().lines(), f"a finding of the kind `{kind}`, which this version does not know; see `.finding`"]
