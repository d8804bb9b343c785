"""SQL over the records of one's own institution: aggregates over people, never a row.

    project.views()                                   # the tables and columns there are
    answer = project.sql("SELECT gender, count(*) AS people FROM patient GROUP BY gender")
    answer.to_frame()

The node reads the query before any record, and refuses what could show one. What is raised then is a
`QueryError` that names the rule, the place, and what to write instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Type

from .errors import ConsiliumError, QueryError, QueryFaulty, QueryTooCostly, QueryWouldShow, QuestionError
from .rendering import Column, Table, Tabled

_TOLD = re.compile(r"rule (?P<rule>[a-z_]+), (?P<place>[^:]*): (?P<reason>.*)", re.DOTALL)
_FAULTY = ("syntax", "one_query", "query_size", "unknown", "plan", "failed")
_COSTLY = ("time", "memory", "rows")
_NARROWER = "narrow it by WHERE, or group by less"
#: Rules that stand against a row being shown; those that no version of this package knows are handed on.
_SHOWS = {
    "not_aggregated": "ask for `count(*)`, `avg(x)`, `sum(x)` and their like, with GROUP BY",
    "single_value": "ask for `avg`, `stddev` or a count of rows beyond a value, not for `min` or `max`",
    "window": "leave `OVER (…)` out; aggregate with GROUP BY",
    "distinct": "write GROUP BY, or `count(DISTINCT patient_key)`",
    "set_operation": "ask two queries",
    "recursive": "leave `WITH RECURSIVE` out",
    "nested": "one level of aggregates; put what is inside into WHERE",
    "order": "move ORDER BY to the end of the query",
    "limit": "move LIMIT to the end of the query",
    "grouping_sets": "ask totals by a query of their own",
    "group_identifier": "group by what many people share: gender, a code, a decade of age",
    "group_unique": "group by bands: `floor(value / 10) * 10`, or a year of a date",
    "identifier": "leave conditions on keys out; keys are joined and counted",
    "argument": "an aggregate takes a column, or the sum or difference of two; constants stand outside: `2020 - avg(x)`",
    "join": "join by equal columns, inner or left",
    "join_rows": "for people who have something: `WHERE patient_key IN (SELECT patient_key FROM …)`",
    "conditions": "ask several queries: each FILTER and each column that may be missing is a condition",
    "subquery": "the only subquery is `key IN (SELECT key FROM …)`",
    "source": "read tables of `project.views()`",
    "function": "use another function: aggregates, arithmetic, dates, `lower`, `coalesce`",
    "expression": "use plain columns, arithmetic and comparisons",
    "differencing": "ask for a group that differs from earlier ones by more people, or use the earlier answer",
    "groups": "ask for groups that were shown, or for sums of them",
}
_ADVICE = {
    "syntax": "read it again for commas, quotes and brackets; names with spaces stand in double quotes",
    "unknown": "`project.views()` lists tables and columns",
    "one_query": "one SELECT, without what follows a semicolon",
    **_SHOWS,
}


@dataclass(frozen=True, repr=False)
class Rows(Tabled):
    """The answer to a query: columns of the same length, by name."""

    columns: Dict[str, List[Any]]
    #: Groups of fewer people are left out.
    min_cell: int
    query: str
    #: When the records were as they were asked (RFC 3339), where that is not now.
    as_of: Optional[str] = None

    @classmethod
    def read(cls, given: Dict[str, Any], query: str) -> "Rows":
        """From the node's JSON."""
        columns = {one["name"]: list(one["values"]) for one in given["columns"]}
        return cls(columns, int(given["min_cell"]), query, given.get("as_of"))

    def __len__(self) -> int:
        return max((len(values) for values in self.columns.values()), default=0)

    def __getitem__(self, name: str) -> List[Any]:
        """A column by its name."""
        if name not in self.columns:
            raise KeyError(f"there is no column `{name}`; there are {', '.join(self.columns)}")
        return self.columns[name]

    def __iter__(self) -> Iterator[Tuple[Any, ...]]:
        """Row by row."""
        return iter(zip(*self.columns.values()))

    def tables(self) -> List[Table]:
        head = [Column(name, _form(values)) for name, values in self.columns.items()]
        notes = [f"groups of fewer than {self.min_cell} people are left out"]
        if self.as_of:
            notes.append(f"of the records as they were at {self.as_of}, since too few people came or went")
        return [Table("", head, list(self), notes)]

    def plot(self, ax: Any = None, *, x: str = "", y: str = "") -> Any:
        """Bars of a column of numbers (the last) over another (the first)."""
        from . import plots

        numbers = [name for name, values in self.columns.items() if _form(values) != "text"]
        y = y or (numbers[-1] if numbers else "")
        x = x or next((name for name in self.columns if name != y), "")
        if not y or not x:
            raise QuestionError("bars need a column of numbers and another one")
        return plots.bars([str(one) for one in self[x]], self[y], x, y, ax)


def _form(values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int) and not isinstance(value, bool) for value in known):
        return "count"
    return "number" if known and all(isinstance(value, float) for value in known) else "text"


@dataclass(frozen=True)
class View:
    """A table that can be asked: columns with their types, and whether each tells who somebody is, so that
    it can be counted and joined by and nothing else."""

    name: str
    columns: Tuple[Tuple[str, str, bool], ...]


class Views(List[View], Tabled):
    """The tables that can be asked."""

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Views":
        """From the node's JSON."""
        return cls(
            View(one["name"], tuple((each["name"], each["type"], each["identifier"]) for each in one["columns"]))
            for one in given["views"]
        )

    def tables(self) -> List[Table]:
        head = [Column("table"), Column("column"), Column("type"), Column("use")]
        rows = [
            [view.name if place == 0 else "", name, kind, "count and join" if is_identifier else "any"]
            for view in self
            for place, (name, kind, is_identifier) in enumerate(view.columns)
        ]
        return [Table("tables", head, rows)]

    def to_frame(self) -> Any:
        """Every column of every table as a pandas `DataFrame`."""
        head = [Column("table"), Column("column"), Column("type"), Column("identifier")]
        return Table("", head, [[view.name, *column] for view in self for column in view.columns]).frame()

    __repr__ = Tabled.__repr__


def refusal(error: ConsiliumError) -> ConsiliumError:
    """A refusal of a query as the error of its kind; others as they are."""
    told = _TOLD.match(error.message)
    rule = told.group("rule") if told else error.rule or ""
    place = told.group("place") if told else "query"
    kind = _kind(rule, place)
    if kind is None or error.status not in (400, 403, 422):
        return error
    return kind(
        told.group("reason") if told else error.message,
        rule=rule,
        place="" if place == "query" else place,
        advice=_NARROWER if kind is QueryTooCostly else _ADVICE.get(rule, ""),
        refused_by=error.refused_by,
        status=error.status,
    )


def _kind(rule: str, place: str) -> Optional[Type[QueryError]]:
    # `limit` is a clause below an aggregate, or, of the whole query, what it may cost.
    if rule in _COSTLY or (rule, place) == ("limit", "query"):
        return QueryTooCostly
    if rule in _FAULTY:
        return QueryFaulty
    return QueryWouldShow if rule in _SHOWS else None
