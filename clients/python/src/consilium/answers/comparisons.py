"""Tests of differences and of association."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, List, Optional, Tuple

from ..rendering import Column, Table
from .base import Answer
from .decoding import Key
from .tables import Counts


@dataclass(frozen=True)
class GroupMean:
    """A group of a test."""

    level: str
    n: int
    mean: float
    variance: Optional[float] = None


@dataclass(frozen=True)
class MeanTest:
    """One t test: the difference, its standard error, t with its degrees of freedom, p, 95 % interval."""

    difference: float
    se: float
    t: float
    df: float
    p: float
    interval: Tuple[float, float]


def _groups(groups: List[GroupMean]) -> Table:
    head = [Column("group"), Column("n", "count"), Column("mean", "number"), Column("variance", "number")]
    return Table("groups", head, [[one.level, one.n, one.mean, one.variance] for one in groups])


@dataclass(frozen=True, repr=False)
class TTest(Answer):
    """Student's and Welch's t, or the paired t."""

    kind: ClassVar[str] = "t-test"

    groups: List[GroupMean]
    student: MeanTest
    welch: Optional[MeanTest] = None

    def tables(self) -> List[Table]:
        names = ("difference", "se", "low 95 %", "high 95 %", "t")
        head = [Column("test"), *(Column(name, "number") for name in names), Column("df", "plain"), Column("p", "p")]
        tests = [("Student" if self.welch else "paired", self.student)]
        if self.welch:
            tests.append(("Welch", self.welch))
        rows: List[List[Any]] = [
            [name, one.difference, one.se, *one.interval, one.t, one.df, one.p] for name, one in tests
        ]
        return [Table("difference of means", head, rows), _groups(self.groups)]


@dataclass(frozen=True, repr=False)
class Anova(Answer):
    """One-way analysis of variance; `welch` holds Welch's F, its second degrees of freedom and p."""

    kind: ClassVar[str] = "anova"

    groups: List[GroupMean]
    between: float
    within: float
    df: Tuple[int, int]
    f: float
    p: float
    welch: Optional[Tuple[float, float, float]] = None

    def tables(self) -> List[Table]:
        head = [Column("test"), Column("F", "number"), Column("df", "plain"), Column("df within", "plain")]
        head.append(Column("p", "p"))
        rows: List[List[Any]] = [["F", self.f, *self.df, self.p]]
        if self.welch:
            rows.append(["Welch", self.welch[0], self.df[0], self.welch[1], self.welch[2]])
        notes = [f"sums of squares: {self.between:.6g} between, {self.within:.6g} within"]
        return [Table("analysis of variance", head, rows, notes), _groups(self.groups)]


@dataclass(frozen=True, repr=False)
class ChiSquared(Answer):
    """Pearson's test of independence."""

    kind: ClassVar[str] = "chi-squared"

    table: Counts
    statistic: float
    df: int
    p: float
    cramers_v: float
    #: Below 5 the approximation is poor.
    least_expected: float

    def tables(self) -> List[Table]:
        head = [Column("χ²", "number"), Column("df", "count"), Column("p", "p"), Column("Cramér's V", "number")]
        notes = []
        if self.least_expected < 5:
            notes.append(f"the least expected count is {self.least_expected:.3g}: below 5 the approximation is poor")
        return [
            Table("independence", head, [[self.statistic, self.df, self.p, self.cramers_v]], notes),
            self.table.table(),
        ]


@dataclass(frozen=True)
class Pair:
    """The correlation of two numbers."""

    first: str
    second: str
    n: int
    r: Optional[float] = None
    p: Optional[float] = None
    interval: Optional[Tuple[float, float]] = None


@dataclass(frozen=True, repr=False)
class Correlations(Answer):
    """Pearson's correlations of pairs."""

    kind: ClassVar[str] = "correlations"

    pairs: List[Pair]

    def tables(self) -> List[Table]:
        head = [Column("first"), Column("second"), Column("n", "count"), Column("r", "number")]
        head += [Column("low 95 %", "number"), Column("high 95 %", "number"), Column("p", "p")]
        rows: List[List[Any]] = [
            [one.first, one.second, one.n, one.r, *(one.interval or (None, None)), one.p] for one in self.pairs
        ]
        return [Table("correlations", head, rows)]


@dataclass(frozen=True, repr=False)
class RankSum(Answer):
    """Mann–Whitney: `u` counts pairs in which the first group's value is the greater one."""

    kind: ClassVar[str] = "rank-sum"

    u: float
    #: The probability that a value of the first group is the greater one.
    superiority: float
    z: float
    p: float
    #: Values of each group.
    sizes: Annotated[Tuple[int, int], Key("n")]

    def tables(self) -> List[Table]:
        head = [Column("n first", "count"), Column("n second", "count"), Column("U", "number")]
        head += [Column("superiority", "number"), Column("z", "number"), Column("p", "p")]
        return [Table("rank sum", head, [[*self.sizes, self.u, self.superiority, self.z, self.p]])]
