"""Data sets of one's own institution: what they hold, never a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List

from .dictionary import Dictionary
from .rendering import Column, Table, Tabled


@dataclass(frozen=True, repr=False)
class Dataset(Tabled):
    """A data set, as the institution describes it."""

    name: str
    title: str
    #: Rows here.
    rows: int
    #: Since when, in RFC 3339.
    since: str
    dictionary: Dictionary

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Dataset":
        """From the node's JSON."""
        return cls(given["name"], given["title"], given["rows"], given["since"], Dictionary.read(given["dictionary"]))

    def lines(self) -> List[str]:
        return [f"{self.name}: {self.title}", f"{self.rows:,} rows here, since {self.since}"]

    def tables(self) -> List[Table]:
        return self.dictionary.tables()


class Datasets(List[Dataset], Tabled):
    """Data sets by name."""

    def tables(self) -> List[Table]:
        head = [Column("name"), Column("title"), Column("rows", "count"), Column("variables", "count")]
        rows = [[one.name, one.title, one.rows, len(one.dictionary)] for one in self]
        return [Table("data sets", head, rows)]

    __repr__ = Tabled.__repr__
