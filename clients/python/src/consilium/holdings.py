"""A data set as one institution tells of it: words and noisy counts, never a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from .dictionary import Dictionary, Variable
from .rendering import Column, Table, Tabled


@dataclass(frozen=True)
class People:
    """About how many people, drawn once with noise; `about` is absent where there are fewer than
    `threshold`. The true number is within `margin` in 95 of 100 cases."""

    about: Optional[int]
    threshold: int
    margin: int

    def __str__(self) -> str:
        return f"fewer than {self.threshold}" if self.about is None else f"about {self.about:,} ± {self.margin:,}"


@dataclass(frozen=True, repr=False)
class Holding(Tabled):
    """A data set as one institution tells of it."""

    institution: str
    name: str
    title: str
    description: str
    people: People
    #: The first and the last day that it covers.
    period: Tuple[Optional[str], Optional[str]]
    keywords: Tuple[str, ...]
    coding_systems: Tuple[str, ...]
    conditions: str
    #: Fewest rows behind an answer that the holder asks for.
    min_rows: int
    #: Whom to ask: a name, and an address for mail.
    contact: Tuple[str, str]
    dictionary: Dictionary
    #: Whether the dictionary is told whole, levels included.
    is_whole: bool
    #: In what share of the rows each variable has a value, in percent.
    completeness: Dict[str, int]
    version: str
    #: When the institution was last heard of.
    heard: Optional[str]
    #: Where its documents are: `croissant`, `health_dcat`, `beacon`. They need a session there, unless
    #: that institution's catalogue is public.
    documents: Dict[str, str]

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Holding":
        """From the node's JSON."""
        told = given["dataset"]
        variables = [_variable(one) for one in told["variables"]]
        levels = [_is_whole(one) for one in told["variables"]]
        share = {one["name"]: one["completeness"]["value"] for one in told["variables"] if one.get("completeness")}
        people = told["people"]
        return cls(
            institution=given["institution"],
            name=told["name"],
            title=told["title"],
            description=told.get("description") or "",
            people=People(people.get("about"), people["threshold"], people["margin"]),
            period=(told.get("from"), told.get("until")),
            keywords=tuple(told.get("keywords", ())),
            coding_systems=tuple(told.get("coding_systems", ())),
            conditions=told.get("conditions") or "",
            min_rows=told.get("min_rows") or 0,
            contact=(told.get("contact") or "", told.get("mail") or ""),
            dictionary=Dictionary(variables),
            is_whole=len(variables) == told.get("variables_total", len(variables)) and all(levels),
            completeness=share,
            version=told.get("version") or "",
            heard=given.get("heard"),
            documents=dict(given.get("documents") or {}),
        )

    def lines(self) -> List[str]:
        since, until = self.period
        lines = [f"{self.name} at {self.institution}: {self.title}", self.description, f"{self.people} people"]
        lines += [f"from {since or '…'} until {until or '…'}"] if since or until else []
        lines += [f"codes: {', '.join(self.coding_systems)}"] if self.coding_systems else []
        lines += [f"conditions: {self.conditions}"] if self.conditions else []
        who = ", ".join(one for one in self.contact if one)
        return [line for line in [*lines, f"ask: {who}" if who else ""] if line]

    def tables(self) -> List[Table]:
        head = [Column("variable"), Column("kind"), Column("values"), Column("has a value"), Column("description")]
        rows: List[List[Any]] = [
            [
                one.name,
                one.kind,
                one.values(),
                f"{self.completeness[one.name]} %" if one.name in self.completeness else None,
                one.description,
            ]
            for one in self.dictionary
        ]
        return [Table(f"{len(rows)} variables", head, rows)]


def _is_whole(told: Dict[str, Any]) -> bool:
    """Whether all levels are told. Those that were made of the rows are not."""
    levels, of = len(told.get("levels", ())), int(told.get("levels_total", 0))
    return levels == of and (of > 0 or str(told["kind"]) != "category")


def _variable(told: Dict[str, Any]) -> Variable:
    if told["kind"] == "category":
        return Variable.category(told["name"], told.get("levels", ()), told.get("description", ""))
    return Variable.number(told["name"], told.get("least"), told.get("most"), told.get("description", ""))
