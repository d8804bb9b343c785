"""Programs of one's own: WebAssembly components that a project names by their hash.

    program = session.upload("mean.wasm")             # once; the node says what it is
    project = session.apply(…, programs=[program.declared(rows=100_000, outputs=[
        Output("n", bound=100_000, is_count=True), Output("sum", bound=11_000_000)])])
    project.program("mean").answer()                  # two people look at the answer first

How to write one is in docs/guides/programs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

from .errors import QuestionError
from .rendering import Column, Table, Tabled

#: Instructions of a program in a round, and bytes of memory, where nothing is said; as nodes have them.
FUEL = 1_000_000_000
MEMORY = 64 * 1024 * 1024


@dataclass(frozen=True)
class Output:
    """A sum that a program may ask for. `bound` is the greatest absolute value that one institution gives
    in a round, all its rows together; `length` how many numbers it is."""

    name: str
    bound: float
    is_count: bool = False
    length: int = 1

    def written(self) -> Dict[str, Any]:
        """As applications write it."""
        return {"name": self.name, "length": self.length, "is_count": self.is_count, "bound": float(self.bound)}


@dataclass(frozen=True, repr=False)
class Program(Tabled):
    """A program that a node has taken in."""

    #: SHA-256 of its bytes: whoever approves a project approves exactly these.
    hash: str
    name: str
    version: str
    bytes: int
    #: The variables that it needs; empty where it works on any.
    variables: Tuple[str, ...]
    #: Most rounds that it may ask for.
    rounds: int

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Program":
        """From the node's JSON."""
        variables = tuple(given["variables"])
        return cls(given["hash"], given["name"], given["version"], given["bytes"], variables, given["rounds"])

    def declared(
        self,
        *,
        rows: int,
        outputs: Sequence[Output],
        variables: Sequence[str] = (),
        fuel: int = FUEL,
        memory: int = MEMORY,
    ) -> Dict[str, Any]:
        """What an application says that it may do: for at most so many rows of an institution, which sums,
        over which variables (those that it needs)."""
        names = list(variables or self.variables)
        if not names:
            raise QuestionError(f"`{self.name}` works on any variables; name those that it may read")
        if not outputs:
            raise QuestionError("name the sums that the program asks for, with their bounds")
        return {
            "hash": self.hash,
            "variables": names,
            "rows": rows,
            "outputs": [one.written() for one in outputs],
            "fuel": fuel,
            "memory": memory,
        }

    def tables(self) -> List[Table]:
        return Programs([self]).tables()


@dataclass(frozen=True)
class Allowed:
    """A program as an approved project names it, with what it may do."""

    program: Program
    rows: int
    outputs: Tuple[Output, ...]
    fuel: int
    memory: int

    @classmethod
    def read(cls, given: Dict[str, Any]) -> "Allowed":
        """From the node's JSON."""
        outputs = tuple(
            Output(one["name"], one["bound"], bool(one.get("is_count")), one.get("length", 1))
            for one in given["outputs"]
        )
        return cls(Program.read(given), given["rows"], outputs, given["fuel"], given["memory"])


class Programs(List[Program], Tabled):
    """Programs by name."""

    def tables(self) -> List[Table]:
        head = [Column("name"), Column("version"), Column("hash"), Column("bytes", "count")]
        head += [Column("variables"), Column("rounds", "count")]
        rows: List[List[Any]] = [
            [one.name, one.version, one.hash, one.bytes, ", ".join(one.variables) or "any", one.rounds] for one in self
        ]
        return [Table("programs", head, rows)]

    __repr__ = Tabled.__repr__


def chosen(allowed: Sequence[Allowed], name: str) -> Allowed:
    """The program of this name or hash.

    Raises `QuestionError` where the project allows none of it.
    """
    for one in allowed:
        if name in (one.program.name, one.program.hash):
            return one
    known = ", ".join(f"`{one.program.name}`" for one in allowed) or "none"
    raise QuestionError(f"the project allows no program `{name}`; it allows {known}")
