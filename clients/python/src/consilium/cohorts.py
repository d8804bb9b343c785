"""Counts of people before anything is applied for: noisy, step by step, over one institution or all.

    plan = session.plan(cohort, epsilon=1.0)          # what it would cost, and how exact it would be
    counted = session.count(cohort, epsilon=1.0)      # who is left after each step
    counted.plot()

Every institution keeps a budget of its own (`session.budget()`). The same question again gives the same
answer and costs nothing until its period ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from .drawing import attrition
from .rendering import Column, Table, Tabled


@dataclass(frozen=True)
class Count:
    """A number of people with noise; `people` is absent where there are fewer than `fewer_than`. The true
    number is within `error` of it in 95 of 100 cases."""

    people: Optional[int]
    fewer_than: Optional[int]
    error: Optional[int] = None

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Count":
        """From the node's JSON."""
        return cls(given.get("people"), given.get("fewer_than"), given.get("error"))

    def __str__(self) -> str:
        if self.people is None:
            return f"fewer than {self.fewer_than}" if self.fewer_than is not None else "–"
        return f"{self.people:,}" if self.error is None else f"{self.people:,} ± {self.error:,}"


@dataclass(frozen=True, repr=False)
class Budget(Tabled):
    """How much may still be learned by counting, at one's own institution: ε left of ε given, of the
    account and of everybody, until the period ends."""

    left: float
    of: float
    everybody_left: float
    everybody_of: float
    until: str

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Budget":
        """From the node's JSON."""
        everybody = given["everybody"]
        return cls(given["left"], given["of"], everybody["left"], everybody["of"], given["until"])

    def __str__(self) -> str:
        return f"ε {self.left:g} of {self.of:g} left until {self.until[:10]}"

    def tables(self) -> List[Table]:
        head = [Column("whose"), Column("ε left", "plain"), Column("of", "plain")]
        rows = [["own account", self.left, self.of], ["everybody here", self.everybody_left, self.everybody_of]]
        return [Table("privacy budget", head, rows, [f"until {self.until}"])]


def _label(row: Dict[str, Any]) -> str:
    known = {"everybody": "everybody in research", "entered": "with the index event"}
    return str(row.get("label") or known.get(str(row.get("row")), row.get("row")))


@dataclass(frozen=True, repr=False)
class Plan(Tabled):
    """What a count would cost and how exact it would be. Nothing was counted or spent."""

    #: The cohort in words.
    sentences: Tuple[str, ...]
    epsilon: float
    #: How many institutions would be asked.
    institutions: int
    #: Each step, and within how many people its count would be in 95 of 100 cases.
    errors: Tuple[Tuple[str, int], ...]
    #: The same of the number of different people over the network.
    distinct_error: Optional[int]
    budget: Budget

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Plan":
        """From the node's JSON."""
        return cls(
            tuple(given["sentences"]),
            given["epsilon"],
            given["institutions"],
            tuple((_label(one), one["error"]) for one in given["steps"]),
            given.get("distinct_error"),
            Budget.read(given["budget"]),
        )

    def lines(self) -> List[str]:
        asked = "institution" if self.institutions == 1 else "institutions"
        return [*self.sentences, f"would cost ε {self.epsilon:g} at {self.institutions} {asked}; {self.budget}"]

    def tables(self) -> List[Table]:
        rows: List[List[Any]] = [list(one) for one in self.errors]
        if self.distinct_error is not None:
            rows.append(["different people", self.distinct_error])
        return [Table("", [Column("step"), Column("± people (95 %)", "count")], rows)]


@dataclass(frozen=True)
class Distinct:
    """How many different people there are over the network: who is known to several counts once."""

    people: Optional[int]
    fewer_than: Optional[int]
    low: Optional[int] = None
    high: Optional[int] = None
    #: What the institutions counted, added up.
    sum: Optional[int] = None
    institutions: Optional[int] = None
    standard_error: Optional[float] = None

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Distinct":
        """From the node's JSON."""
        names = ("people", "fewer_than", "low", "high", "sum", "institutions", "standard_error")
        return cls(**{name: given.get(name) for name in names})

    def __str__(self) -> str:
        if self.people is None:
            return f"fewer than {self.fewer_than} different people"
        return f"{self.people:,} different people (95 %: {self.low:,} to {self.high:,}) among {self.sum:,} counted"


@dataclass(frozen=True)
class Institution:
    """How one institution stands: `answered`, `refused`, `timed-out`, `unreachable`, with the reason."""

    id: str
    name: str
    status: str
    reason: str = ""
    message: str = ""
    counted: str = ""
    #: Whether it gave an answer that it had given before, which costs nothing.
    again: bool = False
    steps: Tuple[Count, ...] = ()

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Institution":
        """From the node's JSON."""
        return cls(
            id=given["id"],
            name=given["name"],
            status=given["status"],
            reason=given.get("reason") or "",
            message=given.get("message") or "",
            counted=given.get("counted") or "",
            again=bool(given.get("again")),
            steps=tuple(Count.read(one) for one in given.get("steps") or ()),
        )


@dataclass(frozen=True, repr=False)
class Counted(Tabled):
    """Who is left after each step."""

    #: The cohort in words.
    sentences: Tuple[str, ...]
    epsilon: float
    #: Each step with its count.
    steps: Tuple[Tuple[str, Count], ...]
    distinct: Optional[Distinct]
    institutions: Tuple[Institution, ...]
    budget: Budget

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Counted":
        """From the node's JSON."""
        distinct = given.get("distinct")
        return cls(
            tuple(given["sentences"]),
            given["epsilon"],
            tuple((_label(one), Count.read(one)) for one in given["steps"]),
            None if distinct is None else Distinct.read(distinct),
            tuple(Institution.read(one) for one in given["institutions"]),
            Budget.read(given["budget"]),
        )

    @property
    def people(self) -> Optional[int]:
        """Who is left in the end, about; absent where they are too few to tell."""
        return self.steps[-1][1].people if self.steps else None

    def step(self, label: str) -> Count:
        """The count of a step by its label."""
        for known, count in self.steps:
            if known == label:
                return count
        raise KeyError(f"there is no step `{label}`; there are {', '.join(known for known, _ in self.steps)}")

    def lines(self) -> List[str]:
        lines = [*self.sentences]
        if self.distinct is not None:
            lines.append(str(self.distinct))
        away = [one for one in self.institutions if one.status != "answered"]
        lines += [f"not in it: {one.name}: {one.message or one.reason or one.status}" for one in away]
        return [*lines, f"cost ε {self.epsilon:g}; {self.budget}"]

    def tables(self) -> List[Table]:
        head = [Column("step"), Column("people", "count"), Column("±", "count"), Column("of the step before", "share")]
        rows: List[List[Any]] = []
        before: Optional[int] = None
        few = [count.fewer_than for _, count in self.steps if count.people is None and count.fewer_than]
        for label, count in self.steps:
            part = None if before is None or count.people is None or not before else min(1.0, count.people / before)
            rows.append([label, count.people, count.error, part])
            before = count.people
        notes = [f"–: fewer than {few[0]} people, which is not told"] if few else []
        notes.append("± holds the true number in 95 of 100 cases")
        head_here = [Column("institution"), Column("status"), *(Column(label) for label, _ in self.steps)]
        here: List[List[Any]] = []
        for one in self.institutions:
            told: List[Optional[str]] = [str(count) for count in one.steps]
            told = told or [None] * len(self.steps)
            here.append([one.name, f"{one.status}{': ' + one.reason if one.reason else ''}", *told])
        return [Table("attrition", head, rows, notes), Table("institutions", head_here, here)]

    def picture(self) -> Optional[str]:
        return attrition([(label, count.people, count.error or 0) for label, count in self.steps])

    def plot(self, ax: Any = None) -> Any:
        """Bars of who is left after each step, with what the noise may be."""
        from . import plots

        return plots.attrition(self, ax)
