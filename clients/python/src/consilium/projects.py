"""Projects: who may ask which data set what, and the questions that are asked in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union
from urllib.parse import quote

from . import analyses, answers, progress
from .analyses.draft import A, Draft
from .asking import Asking
from .datasets import Dataset
from .dictionary import Dictionary
from .errors import ConsiliumError, DeadlinePassed, NotFound
from .programs import Allowed, chosen
from .queries import Rows, Views, refusal
from .questions import Question, Questions, with_noise
from .rendering import Column, Table, Tabled
from .variants import Variant

if TYPE_CHECKING:
    from .session import Session

#: Most rows of one institution that a question allows for, where nothing else is said. A greater
#: number makes the numbers that travel longer, not less exact.
MOST_ROWS = 1 << 20
#: Seconds between two looks at a project that waits for decisions.
_LOOK_S = 10.0


@dataclass(frozen=True)
class Decision:
    """What an institution decided of a project."""

    by: str
    choice: str
    reason: str
    steward: str
    at: str
    #: For how many days after its release an answer is kept back.
    embargo_days: int = 0


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
            Decision(
                one["by"],
                one["choice"],
                one["reason"],
                one.get("steward", ""),
                one["at"],
                one.get("embargo_days", 0),
            )
            for one in given["decisions"]
        )
        #: Who asks in it, by name.
        self.researchers: Tuple[str, ...] = tuple(one["name"] for one in application.get("researchers", ()))
        #: Programs of the researchers' own that may be asked.
        self.programs: Tuple[Allowed, ...] = tuple(Allowed.read(one) for one in application.get("programs", ()))
        #: Which answers leave without anybody having looked: `automatic` or none (`checked`).
        self.release_rule: str = application.get("release", "")
        #: From when and until when it holds, in RFC 3339.
        self.term: Tuple[str, str] = (application.get("from", ""), application.get("until", ""))
        #: What differential privacy the project asks for: `{"epsilon": 2.0}`; absent where it asks for none.
        self.privacy: Optional[Dict[str, Any]] = _privacy(application.get("privacy"))
        #: The project that this one changes.
        self.amends: Optional[str] = application.get("amends")
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

    def wait(self, deadline_s: float = 3600.0, *, show: Union[bool, progress.Progress] = True) -> "Project":
        """Waits until everybody has decided, or somebody has refused, and shows who is awaited.

        Raises `DeadlinePassed` where that takes longer; the application goes on.
        """
        shown = progress.usual() if show is True else (show or progress.Silent())
        clock = self._session._door.clock
        end = clock.now() + deadline_s
        try:
            while self.refresh().waits and all(one.choice == "approve" for one in self.decisions):
                asked = len(self.decisions) + len(self.waits)
                shown.show(len(self.decisions) / max(1, asked), self.state)
                if clock.now() + _LOOK_S > end:
                    raise DeadlinePassed(f"{self.state}; look again by `project.refresh()`", question_id="")
                clock.sleep(_LOOK_S)
        finally:
            shown.close()
        return self

    def decide(self, choice: str, reason: str = "", *, embargo_days: int = 0) -> None:
        """For stewards: `approve`, `refuse` or `withdraw`. With `embargo_days` answers are kept back for so
        long after their release."""
        body: Dict[str, Any] = {"choice": choice, "reason": reason}
        if embargo_days:
            body["embargo_days"] = embargo_days
        self._session._change("POST", f"{self._path()}/decision", body)

    def amend(self, *, days: int, **changes: Any) -> "Project":
        """Applies for a change of this project: the same application but for what is named, as in
        `session.apply`, for `days` from now. Everybody decides again; until then this project holds as it is.

        Raises `NotSupported` at a node that knows no amendments.
        """
        same: Dict[str, Any] = {
            "title": self.title,
            "purpose": self.purpose,
            "dataset": self.dataset_name,
            "holders": self.holders,
            "aggregators": self.aggregators,
            "analyses": self.analyses,
            "min_sites": self.min_sites,
            "min_rows": self.min_rows,
            "privacy": self.privacy,
            "release": self.release_rule or None,
            "researchers": self._given["application"].get("researchers", ()),
            "programs": [_declared(one) for one in self._given["application"].get("programs", ())],
        }
        return self._session.apply(**{**same, **changes}, days=days, amends=self.id)

    def _path(self) -> str:
        return f"/research/projects/{quote(self.id, safe='')}"

    @property
    def dictionary(self) -> Dictionary:
        """The variables of the data set, as one's own institution declares them, or where it does not hold
        the data set, as the catalogue tells that a holder does.

        Raises `NotFound` where neither tells: set the dictionary by hand then, as an institution that holds
        the data set has handed it out.
        """
        if self._dictionary is None:
            found = [one for one in self._session.datasets() if one.name == self.dataset_name]
            if found:
                self._dictionary = found[0].dictionary
                self.most_rows = max(self.most_rows, _room(found[0]))
            else:
                self._dictionary = self._told()
        return self._dictionary

    @dictionary.setter
    def dictionary(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary

    def _told(self) -> Dictionary:
        try:
            return self._session.catalog()[self.dataset_name].dictionary
        except NotFound:
            raise NotFound(
                f"the data set `{self.dataset_name}` is not at your institution, and the catalogue does not tell "
                "all of its variables; ask a holder for its dictionary, and set "
                "`project.dictionary = Dictionary.read(…)`"
            ) from None

    def ask(self, draft: Draft[A]) -> Question[A]:
        """Sends a question that was drafted by `consilium.analyses`."""
        return self._drafted(draft, self.most_rows).send()

    @property
    def draft(self) -> "Variant":
        """The same methods, by which nothing is sent: `project.draft.summary("age")` can be looked at,
        `.expected(epsilon=0.5)` tells what it would cost, and `.send()` asks it."""
        return Variant(self, None, is_sent=False)

    def with_noise(self, epsilon: float) -> "Variant":
        """The same methods, asked with noise of this ε: `project.with_noise(0.5).summary("age")`."""
        with_noise({}, epsilon)
        return Variant(self, epsilon, is_sent=True)

    def program(
        self,
        name: str,
        parameters: str = "",
        *,
        block_rows: Optional[int] = None,
        fuel: Optional[int] = None,
        memory: Optional[int] = None,
    ) -> Question[answers.ProgramResult]:
        """Asks a program of one's own that the project allows, by its name or hash. With `block_rows` the
        rows of an institution come to it in blocks. Two people look at the answer before it leaves."""
        allowed = chosen(self.programs, name)
        draft = analyses.program(
            allowed.program.variables,
            allowed.program.hash,
            parameters,
            fuel or allowed.fuel,
            memory or allowed.memory,
            block_rows,
            allowed.program.rounds,
        )
        return self._drafted(draft, allowed.rows).send()

    def sql(self, query: str) -> Rows:
        """Asks the records of one's own institution by SQL, where the project allows `sql`. Aggregates over
        people are answered; `views` lists the tables.

        Raises `QueryFaulty`, `QueryWouldShow` or `QueryTooCostly`, with rule, place and advice.
        """
        try:
            return Rows.read(self._session._change("POST", f"{self._path()}/sql", {"sql": query}), query)
        except ConsiliumError as error:
            raise refusal(error) from None

    def views(self) -> Views:
        """The tables that `sql` reads."""
        return self._session.views()

    def _drafted(self, draft: Draft[A], most_rows: int) -> Question[A]:
        body = {
            "dictionary": self.dictionary.only(draft.variables),
            "most_rows": most_rows,
            "analysis": draft.analysis,
        }
        return Question(
            self._session._door,
            "",
            analysis=draft.analysis,
            project_id=self.id,
            kind=draft.answer,
            rounds=draft.rounds,
            sent=body,
        )

    def questions(self) -> Questions:
        """What was asked in the project so far, the latest first."""
        given = self._session._door.call("GET", f"{self._path()}/questions")
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
        head += [Column("who"), Column("at")]
        rows: List[List[Any]] = []
        for org in dict.fromkeys([*self.holders, *self.aggregators]):
            parts = (("holder", self.holders), ("aggregator", self.aggregators))
            found = decided.get(org)
            rows.append(
                [
                    org,
                    ", ".join(name for name, those in parts if org in those),
                    found.choice if found else "waits",
                    _reason(found) if found else "",
                    found.steward if found else "",
                    found.at[:16].replace("T", " ") if found else "",
                ]
            )
        notes = [
            f"data set {self.dataset_name}; analyses: {', '.join(self.analyses)}",
            f"at least {self.min_sites} institutions and {self.min_rows} rows in any answer",
        ]
        if self.term[1]:
            notes.append(f"until {self.term[1][:10]}")
        if self.privacy:
            notes.append(f"with differential privacy: {', '.join(f'{name} {it}' for name, it in self.privacy.items())}")
        if self.amends:
            notes.append(f"changes project {self.amends}")
        return [Table("", head, rows, notes)]


class Projects(List[Project], Tabled):
    """The projects that concern an institution, the latest first."""

    def tables(self) -> List[Table]:
        head = [Column("id"), Column("title"), Column("data set"), Column("state")]
        return [Table("projects", head, [[one.id, one.title, one.dataset_name, one.state] for one in self])]

    __repr__ = Tabled.__repr__


def _reason(decision: Decision) -> str:
    kept = f"kept back for {decision.embargo_days} days" if decision.embargo_days else ""
    return "; ".join(part for part in (decision.reason, kept) if part)


def _privacy(told: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """What an application says of privacy, out of one that was signed: ε there is in millionths."""
    if told and "micro_epsilon" in told:
        return {"epsilon": told["micro_epsilon"] / 1e6}
    return told


def _declared(program: Dict[str, Any]) -> Dict[str, Any]:
    """What an application says of a program, out of one that was applied for."""
    return {name: program[name] for name in ("hash", "variables", "rows", "outputs", "fuel", "memory")}


def _room(dataset: Dataset) -> int:
    """A power of two that leaves institutions with four times as many rows room; of few rows no number is told."""
    return 1 << max(4095, 4 * dataset.rows - 1).bit_length()
