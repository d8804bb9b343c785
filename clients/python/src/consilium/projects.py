"""Projects: who may ask which data set what, and the questions that are asked in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple
from urllib.parse import quote

from . import answers
from .analyses.draft import A, Draft
from .asking import Asking
from .datasets import Dataset
from .dictionary import Dictionary
from .errors import NotFound
from .questions import Question, Questions
from .rendering import Column, Table, Tabled

if TYPE_CHECKING:
    from .session import Session

#: Most rows of one institution that a question allows for, where nothing else is said. A greater
#: number makes the numbers that travel longer, not less exact.
MOST_ROWS = 1 << 20


@dataclass(frozen=True)
class Decision:
    """What an institution decided of a project."""

    by: str
    choice: str
    reason: str
    steward: str
    at: str


class Project(Asking, Tabled):
    """A project, in which questions are asked: `project.logistic("died ~ age + arm").answer()`."""

    def __init__(self, session: "Session", given: Dict[str, Any]) -> None:
        self._session = session
        self._take(given)
        self._dictionary: Optional[Dictionary] = None
        #: Most rows of one institution that questions allow for; one with more refuses.
        self.most_rows = MOST_ROWS

    def _take(self, given: Dict[str, Any]) -> None:
        application = given["application"]
        self._given = given
        self.id: str = given["id"]
        self.title: str = application["title"]
        self.purpose: str = application["purpose"]
        #: Where it was applied for; questions are asked there.
        self.coordinator: str = application["coordinator"]
        self.holders: Tuple[str, ...] = tuple(application["holders"])
        self.aggregators: Tuple[str, ...] = tuple(application["aggregators"])
        self.dataset_name: str = application["dataset"]
        self.analyses: Tuple[str, ...] = tuple(application["analyses"])
        self.min_sites: int = application["min_sites"]
        self.min_rows: int = application["min_rows"]
        self.decisions: Tuple[Decision, ...] = tuple(
            Decision(one["by"], one["choice"], one["reason"], one.get("steward", ""), one["at"])
            for one in given["decisions"]
        )
        #: Institutions that have not decided yet.
        self.waits: Tuple[str, ...] = tuple(given["waits"])

    @property
    def is_approved(self) -> bool:
        """Whether everybody has approved it. It can be over all the same."""
        return not self.waits and all(one.choice == "approve" for one in self.decisions)

    @property
    def state(self) -> str:
        """`approved`, or who stands against it or has not decided."""
        against = [f"{one.by} ({one.choice})" for one in self.decisions if one.choice != "approve"]
        if against:
            return f"not approved: {', '.join(against)}"
        return "approved" if not self.waits else f"waits for {', '.join(self.waits)}"

    def refresh(self) -> "Project":
        """Reads again how it stands."""
        self._take(self._session.project(self.id)._given)
        return self

    def decide(self, choice: str, reason: str = "") -> None:
        """For stewards: `approve`, `refuse` or `withdraw`."""
        path = f"/research/projects/{quote(self.id, safe='')}/decision"
        self._session._change("POST", path, {"choice": choice, "reason": reason})

    @property
    def dictionary(self) -> Dictionary:
        """The variables of the data set, as one's own institution declares them.

        Raises `NotFound` where it does not hold the data set: set the dictionary by hand then, as an
        institution that does has handed it out.
        """
        if self._dictionary is None:
            found = [one for one in self._session.datasets() if one.name == self.dataset_name]
            if not found:
                raise NotFound(
                    f"the data set `{self.dataset_name}` is not at your institution; ask a holder for its "
                    "dictionary, and set `project.dictionary = Dictionary.read(…)`"
                )
            self._dictionary = found[0].dictionary
            self.most_rows = max(self.most_rows, _room(found[0]))
        return self._dictionary

    @dictionary.setter
    def dictionary(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary

    def ask(self, draft: Draft[A]) -> Question[A]:
        """Sends a question that was drafted by `consilium.analyses`."""
        body = {
            "dictionary": self.dictionary.only(draft.variables),
            "most_rows": self.most_rows,
            "analysis": draft.analysis,
        }
        path = f"/research/projects/{quote(self.id, safe='')}/questions"
        id = self._session._change("POST", path, body)["id"]
        return Question(
            self._session._door,
            id,
            analysis=draft.analysis,
            project_id=self.id,
            kind=draft.answer,
            rounds=draft.rounds,
        )

    def questions(self) -> Questions:
        """What was asked in the project so far, the latest first."""
        given = self._session._door.call("GET", f"/research/projects/{quote(self.id, safe='')}/questions")
        out = Questions()
        for one in given["questions"]:
            question: Question[answers.Answer] = Question(self._session._door, one["id"], kind=answers.Answer)
            question._take(one)
            out.append(question)
        return out

    def lines(self) -> List[str]:
        return [self.title, self.purpose, f"{self.state}; project {self.id}"]

    def tables(self) -> List[Table]:
        decided = {one.by: one for one in self.decisions}
        head = [Column("institution"), Column("part"), Column("decision"), Column("reason")]
        rows: List[List[Any]] = []
        for org in dict.fromkeys([*self.holders, *self.aggregators]):
            parts = (("holder", self.holders), ("aggregator", self.aggregators))
            found = decided.get(org)
            rows.append(
                [
                    org,
                    ", ".join(name for name, those in parts if org in those),
                    found.choice if found else "waits",
                    found.reason if found else "",
                ]
            )
        notes = [
            f"data set {self.dataset_name}; analyses: {', '.join(self.analyses)}",
            f"at least {self.min_sites} institutions and {self.min_rows} rows in any answer",
        ]
        return [Table("", head, rows, notes)]


class Projects(List[Project], Tabled):
    """The projects that concern an institution, the latest first."""

    def tables(self) -> List[Table]:
        head = [Column("id"), Column("title"), Column("data set"), Column("state")]
        return [Table("projects", head, [[one.id, one.title, one.dataset_name, one.state] for one in self])]

    __repr__ = Tabled.__repr__


def _room(dataset: Dataset) -> int:
    """A power of two that leaves institutions with four times as many rows room; of few rows no number is told."""
    return 1 << max(4095, 4 * dataset.rows - 1).bit_length()
