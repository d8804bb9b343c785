"""What a data set says of its variables."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, Optional, Tuple

from .errors import QuestionError
from .rendering import Column, Table, Tabled


@dataclass(frozen=True)
class Variable:
    """A number, with what it can be at all, or a category, with its levels. The first level is the
    reference of models."""

    name: str
    kind: str
    min: Optional[float] = None
    max: Optional[float] = None
    levels: Tuple[str, ...] = ()
    description: str = ""

    @classmethod
    def number(
        cls, name: str, min: Optional[float] = None, max: Optional[float] = None, description: str = ""
    ) -> "Variable":
        """A number between bounds."""
        return cls(name, "number", min, max, (), description)

    @classmethod
    def category(cls, name: str, levels: Iterable[str], description: str = "") -> "Variable":
        """One of some texts."""
        return cls(name, "category", None, None, tuple(levels), description)

    @property
    def is_category(self) -> bool:
        return self.kind == "category"

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Variable":
        """From the node's JSON."""
        return cls(
            name=given["name"],
            kind=given["kind"],
            min=given.get("min"),
            max=given.get("max"),
            levels=tuple(given.get("levels", ())),
            description=given.get("description", ""),
        )

    def written(self) -> Dict[str, Any]:
        """As questions write it: what it means to people stays away."""
        out: Dict[str, Any] = {"name": self.name, "kind": self.kind}
        if self.is_category:
            out["levels"] = list(self.levels)
        else:
            if self.min is not None:
                out["min"] = self.min
            if self.max is not None:
                out["max"] = self.max
        return out

    def values(self) -> str:
        """What it can be, for people."""
        if self.is_category:
            return ", ".join(self.levels)
        if self.min is None and self.max is None:
            return "any number"
        low = "" if self.min is None else f"{self.min:g}"
        high = "" if self.max is None else f"{self.max:g}"
        return f"{low} to {high}".strip()


class Dictionary(Tabled):
    """The variables of a data set, by name and in order."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        self.variables: Tuple[Variable, ...] = tuple(variables)
        self._by_name = {variable.name: variable for variable in self.variables}

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Dictionary":
        """From the node's JSON."""
        return cls(Variable.read(one) for one in given["variables"])

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Variable:
        found = self._by_name.get(name)
        if found is None:
            raise QuestionError(self.unknown(name))
        return found

    def unknown(self, name: str) -> str:
        """That there is no such variable, and which may have been meant."""
        near = difflib.get_close_matches(name, self._by_name, n=1, cutoff=0.6)
        if not near:
            near = [known for known in self._by_name if known.lower() == name.lower()]
        hint = f"; did you mean `{near[0]}`?" if near else f"; there are {self._listed()}"
        return f"there is no variable `{name}`{hint}"

    def _listed(self) -> str:
        names = [f"`{name}`" for name in self._by_name]
        more = f" and {len(names) - 12} more" if len(names) > 12 else ""
        return ", ".join(names[:12]) + more

    def numbers(self, names: Iterable[str]) -> None:
        """Raises `QuestionError` for a name that is no number."""
        for name in names:
            if self[name].is_category:
                raise QuestionError(f"`{name}` is a category; a number is needed here")

    def categories(self, names: Iterable[str]) -> None:
        """Raises `QuestionError` for a name that is no category."""
        for name in names:
            if not self[name].is_category:
                raise QuestionError(f"`{name}` is a number; a category is needed here")

    def binary(self, name: str) -> None:
        """Raises `QuestionError` for what cannot be read as yes and no."""
        variable = self[name]
        if variable.is_category and len(variable.levels) != 2:
            raise QuestionError(
                f"`{name}` has {len(variable.levels)} levels; yes and no are two levels, or a number 0 or 1"
            )

    def only(self, names: Iterable[str]) -> Dict[str, Any]:
        """The part that a question uses, as the node reads it."""
        wanted = set(names)
        for name in wanted:
            self[name]
        return {"variables": [one.written() for one in self.variables if one.name in wanted]}

    def tables(self) -> "list[Table]":
        columns = [Column("variable"), Column("kind"), Column("values"), Column("description")]
        rows = [[one.name, one.kind, one.values(), one.description] for one in self.variables]
        return [Table(f"{len(rows)} variables", columns, rows)]
