"""Counts, summaries, histograms and quantiles."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Iterator, List, Optional, Tuple

from ..errors import QuestionError
from ..rendering import Column, Table
from .base import Answer
from .decoding import Key

#: What stands for a missing value beside the levels of a category.
MISSING = "(missing)"


@dataclass(frozen=True)
class Counts:
    """Counts by categories, the last category varying fastest; each has one more level: missing."""

    by: List[str]
    levels: List[List[str]]
    cells: List[int]

    def each(self) -> Iterator[Tuple[Tuple[str, ...], int]]:
        """Every combination of levels with its count."""
        return zip(itertools.product(*([*levels, MISSING] for levels in self.levels)), self.cells)

    def cell(self, *levels: Optional[str]) -> int:
        """The rows of one combination of levels; `None` is missing."""
        wanted = tuple(MISSING if level is None else level for level in levels)
        for found, count in self.each():
            if found == wanted:
                return count
        raise QuestionError(f"name one level of each of {', '.join(self.by)}")

    def table(self) -> Table:
        """Two categories crossed, otherwise a row for each combination; a level nobody has is left out
        where it is the missing one."""
        cells = dict(self.each())
        if len(self.by) == 2:
            rows, columns = ([*levels, MISSING] for levels in self.levels)
            rows = [row for row in rows if row != MISSING or any(cells[row, column] for column in columns)]
            columns = [column for column in columns if column != MISSING or any(cells[row, column] for row in rows)]
            body: List[List[Any]] = [
                [row, *(cells[row, column] for column in columns), sum(cells[row, column] for column in columns)]
                for row in rows
            ]
            foot: List[Any] = ["all", *(sum(cells[row, column] for row in rows) for column in columns)]
            foot.append(sum(foot[1:]))
            head = [Column(self.by[0]), *(Column(column, "count") for column in columns), Column("all", "count")]
            return Table(f"{self.by[0]} by {self.by[1]}", head, [*body, foot])
        head = [*(Column(name) for name in self.by), Column("rows", "count")]
        shown: List[List[Any]] = [[*levels, count] for levels, count in cells.items() if count or MISSING not in levels]
        return Table(" by ".join(self.by), head, shown)


@dataclass(frozen=True, repr=False)
class Crosstab(Answer):
    """Counts by categories."""

    kind: ClassVar[str] = "table"

    by: List[str]
    levels: List[List[str]]
    cells: List[int]

    @property
    def counts(self) -> Counts:
        """The counts by levels."""
        return Counts(self.by, self.levels, self.cells)

    def cell(self, *levels: Optional[str]) -> int:
        """The rows of one combination of levels; `None` is missing."""
        return self.counts.cell(*levels)

    def tables(self) -> List[Table]:
        return [self.counts.table()]

    def to_frame(self) -> Any:
        """Every combination of levels with its count, as a pandas `DataFrame`."""
        head = [*(Column(name) for name in self.by), Column("rows", "count")]
        return Table("", head, [[*levels, count] for levels, count in self.counts.each()]).frame()


@dataclass(frozen=True)
class VariableSummary:
    """One variable in one group."""

    variable: str
    n: int
    missing: int
    mean: Optional[float] = None
    variance: Optional[float] = None
    skewness: Optional[float] = None
    excess_kurtosis: Optional[float] = None
    level: Optional[str] = None

    @property
    def sd(self) -> Optional[float]:
        """The standard deviation."""
        return None if self.variance is None else math.sqrt(self.variance)


@dataclass(frozen=True, repr=False)
class Summary(Answer):
    """Summary statistics."""

    kind: ClassVar[str] = "summary"

    summaries: List[VariableSummary]
    by: Optional[str] = None

    def tables(self) -> List[Table]:
        head = [Column("variable")]
        if self.by:
            head.append(Column(self.by))
        head += [Column("n", "count"), Column("missing", "count")]
        head += [Column(name, "number") for name in ("mean", "sd", "skewness", "excess kurtosis")]
        rows: List[List[Any]] = []
        for one in self.summaries:
            group = [one.level] if self.by else []
            rows.append([one.variable, *group, one.n, one.missing, one.mean, one.sd, one.skewness, one.excess_kurtosis])
        return [Table("summary", head, rows)]


@dataclass(frozen=True, repr=False)
class Histogram(Answer):
    """Counts between edges."""

    kind: ClassVar[str] = "histogram"

    variable: str
    edges: List[float]
    counts: List[int]
    below: int
    above: int
    #: Rows without a value; `missing` is of institutions.
    without: Annotated[int, Key("missing")]

    def tables(self) -> List[Table]:
        head = [Column("from", "plain"), Column("to", "plain"), Column("rows", "count")]
        rows = [[low, high, count] for low, high, count in zip(self.edges, self.edges[1:], self.counts)]
        notes = []
        if self.below or self.above:
            notes.append(f"{self.below:,} below the first edge, {self.above:,} above the last")
        if self.without:
            notes.append(f"{self.without:,} without a value")
        return [Table(self.variable, head, rows, notes)]

    def plot(self, ax: Any = None) -> Any:
        """Bars."""
        from .. import plots

        return plots.histogram(self, ax)


@dataclass(frozen=True)
class Quantile:
    """One quantile; `value` is absent where no row has one."""

    variable: str
    probability: float
    step: float
    n: int
    missing: int
    at: int
    below: int
    above: int
    value: Optional[float] = None


@dataclass(frozen=True, repr=False)
class Quantiles(Answer):
    """Quantiles of variables."""

    kind: ClassVar[str] = "quantiles"

    definition: str
    quantiles: List[Quantile]

    def value(self, variable: str, probability: float) -> Optional[float]:
        """One of them."""
        for one in self.quantiles:
            if one.variable == variable and one.probability == probability:
                return one.value
        raise KeyError(f"no quantile {probability:g} of `{variable}` was asked for")

    def tables(self) -> List[Table]:
        head = [Column("variable"), Column("probability", "plain"), Column("value", "number")]
        head += [Column("n", "count"), Column("without a value", "count")]
        rows = [[one.variable, one.probability, one.value, one.n, one.missing] for one in self.quantiles]
        return [Table("quantiles", head, rows)]
