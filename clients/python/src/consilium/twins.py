"""Synthetic twins: made-up rows that are like those of a data set, for trying code on."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Union

from .errors import MissingExtra, NodeFailed
from .rendering import Column, Table, Tabled

Value = Union[float, str, None]
_SHOWN = 10


@dataclass(frozen=True, repr=False)
class Twin(Tabled):
    """Made-up rows, drawn with differential privacy from what a data set's columns look like, two at a time
    where `pairs` says so. No row is anybody's. What is found in it is of no worth: ask the institutions."""

    name: str
    columns: Dict[str, List[Value]]
    #: What its making cost of the privacy of those in the data set.
    epsilon: Optional[float]
    #: What the node says of it beside.
    about: Dict[str, Any]

    @classmethod
    def read(cls, name: str, about: Any, text: str) -> "Twin":
        """From the node's JSON and its table in CSV."""
        told: Dict[str, Any] = about if isinstance(about, dict) else {}
        rows = list(csv.reader(io.StringIO(text)))
        if not rows or any(len(row) != len(rows[0]) for row in rows):
            raise NodeFailed("the node's twin is no table")
        columns = {column: _typed([row[at] for row in rows[1:]]) for at, column in enumerate(rows[0])}
        epsilon = told.get("epsilon")
        return cls(name, columns, float(epsilon) if isinstance(epsilon, (int, float)) else None, told)

    def __len__(self) -> int:
        return max((len(values) for values in self.columns.values()), default=0)

    def __getitem__(self, name: str) -> List[Value]:
        """A column by its name."""
        return self.columns[name]

    def lines(self) -> List[str]:
        cost = "" if self.epsilon is None else f", ε {self.epsilon:g}"
        return [f"a synthetic twin of {self.name}: {len(self):,} made-up rows{cost}; for trying code, not for results"]

    def tables(self) -> List[Table]:
        head = [
            Column(name, "text" if any(isinstance(one, str) for one in all) else "plain")
            for name, all in self.columns.items()
        ]
        rows = list(zip(*self.columns.values()))
        notes = [f"{len(rows) - _SHOWN:,} more rows; to_frame() has all"] if len(rows) > _SHOWN else []
        return [Table("", head, rows[:_SHOWN], notes)]

    def to_frame(self) -> Any:
        """All rows as a pandas `DataFrame`."""
        try:
            import pandas
        except ImportError:
            raise MissingExtra("frames need pandas: pip install 'consilium[notebook]'") from None
        return pandas.DataFrame(self.columns)


def _typed(texts: List[str]) -> List[Value]:
    try:
        return [float(text) if text else None for text in texts]
    except ValueError:
        return [text or None for text in texts]
