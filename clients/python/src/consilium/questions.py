"""A question that was asked: watched, waited for, and taken up again by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Generic, List, Optional, Tuple, Type, TypeVar, Union, cast
from urllib.parse import quote

from . import answers, progress
from .door import Door
from .errors import Busy, DeadlinePassed, NoAnswer, NotReady, QuestionError, Refusal, Unreachable
from .privacy import Expected
from .releases import Output, Release
from .rendering import Column, Table, Tabled

A = TypeVar("A", bound=answers.Answer)

#: Seconds that are waited for an answer where nothing else is said.
PATIENCE_S = 600.0
#: Seconds that a node keeps a call back before it says how the question stands.
_CALL_S = 2
#: Seconds between two calls at least.
_LEAST_S = 1.0
#: The states in which a question has ended.
ENDED = ("answered", "failed", "withheld")


@dataclass(frozen=True)
class Standing:
    """How a question stands. Its representation does not show the answer."""

    #: `in-progress`, `checking`, `kept-back`, `answered`, `withheld`, `failed`, or a word of a newer node.
    state: str
    #: Rounds that were added.
    rounds: int
    #: Institutions that are not in it, and why.
    missing: Dict[str, Refusal]
    #: Why there is no answer.
    reason: Optional[str] = None
    #: Why people look at the answer before it leaves.
    reasons: Tuple[str, ...] = ()
    #: Until when a holder keeps the answer back.
    until: Optional[str] = None

    @property
    def is_over(self) -> bool:
        return self.state in ENDED

    def __str__(self) -> str:
        parts = [f"{self.state}, {self.rounds} round{'' if self.rounds == 1 else 's'}"]
        parts += [f"people look at it: {one}" for one in self.reasons]
        parts += [f"kept back until {self.until}"] if self.until else []
        parts += [f"not in it: {one}" for one in self.missing.values()]
        return "; ".join(parts)


class Question(Generic[A]):
    """A question by its id. It goes on at the node whether or not anybody watches."""

    def __init__(
        self,
        door: Door,
        id: str,
        *,
        analysis: Optional[Dict[str, Any]] = None,
        project_id: Optional[str] = None,
        kind: Type[A],
        rounds: Optional[int] = None,
        sent: Optional[Dict[str, Any]] = None,
    ) -> None:
        #: Empty where it was not sent.
        self.id = id
        self.analysis: Dict[str, Any] = analysis or {}
        self.project_id = project_id
        self._door = door
        self._kind = kind
        self._rounds = rounds or 8
        self._given: Optional[Dict[str, Any]] = None
        self._standing: Optional[Standing] = None
        self._sent = sent
        # Lists tell how a question stands, and neither its answer nor why there is none.
        self._is_whole = False
        #: What the released answer is cited by: `session.release(question.release_id)`.
        self.release_id: Optional[str] = None

    def __repr__(self) -> str:
        asked = self.analysis.get("formula") or self.analysis.get("kind") or "not looked at yet"
        stands = f"; {self._standing}" if self._standing else ""
        return f"<Question {self.id or 'that was not sent'}: {asked}{stands}>"

    def send(self, *, epsilon: Optional[float] = None) -> "Question[A]":
        """Sends a draft (`project.draft`), with noise of this ε where one is named. What was sent already
        is sent as a question of its own."""
        body = self._body(epsilon)
        id = self._door.change("POST", self._questions(), body)["id"]
        return Question(
            self._door,
            id,
            analysis=self.analysis,
            project_id=self.project_id,
            kind=self._kind,
            rounds=self._rounds,
            sent=self._sent,
        )

    def expected(self, epsilon: float) -> Expected:
        """What an answer with noise of this ε would cost, what is left of the budgets, and how far it would
        be from the truth in 95 of 100 cases. Nothing is asked of institutions and nothing is spent.

        Raises `NotSupported` at a node that knows no noise.
        """
        return Expected(
            epsilon, dict(self._door.change("POST", self._questions(), {**self._body(epsilon), "dry": True}))
        )

    def _body(self, epsilon: Optional[float]) -> Dict[str, Any]:
        if self._sent is None:
            raise QuestionError("this question was asked elsewhere; ask it of a project again")
        return self._sent if epsilon is None else with_noise(self._sent, epsilon)

    def _questions(self) -> str:
        return f"/research/projects/{quote(self.project_id or '', safe='')}/questions"

    def _path(self) -> str:
        if not self.id:
            raise QuestionError("this is a draft; `.send()` asks it")
        return f"/research/questions/{quote(self.id, safe='')}"

    def withdraw(self) -> None:
        """Takes it back: institutions do nothing more for it. For whoever asked, until it has ended.

        Raises `NotReady` where it has ended, `Refused` where it is somebody else's.
        """
        self._door.change("DELETE", self._path())

    def release(self) -> Release:
        """The released answer as it was signed, to be cited.

        Raises `NotReady` where there is none yet.
        """
        if self.release_id is None:
            self.standing()
        if self.release_id is None:
            raise NotReady("the answer is not released, or the node does not tell by which id; its page does")
        return Release(self._door, self._door.call("GET", f"/research/releases/{quote(self.release_id, safe='')}"))

    def publish(self, title: str, address: str) -> Output:
        """Records where the answer was published. The institutions in it hear of it, and their patients
        read it."""
        path = f"/research/outputs/{quote(self.id, safe='')}/publications"
        output = Output(self._door, self._door.change("POST", path, {"title": title, "address": address}))
        self.release_id = output.release_id or self.release_id
        return output

    def standing(self, wait_s: int = 0) -> Standing:
        """How it stands now, or at its end if that comes within `wait_s` seconds (60 at most)."""
        wait_s = max(0, min(60, wait_s))
        given = self._door.call("GET", f"{self._path()}?wait={wait_s}", patience_s=wait_s)
        self._take(given)
        self._is_whole = True
        return cast(Standing, self._standing)

    def _take(self, given: Dict[str, Any]) -> None:
        missing = {site: Refusal.read(site, str(why)) for site, why in (given.get("missing") or {}).items()}
        self._standing = Standing(
            str(given.get("state")),
            int(given.get("rounds") or 0),
            missing,
            given.get("reason"),
            tuple(given.get("reasons") or ()),
            given.get("until"),
        )
        self.release_id = given.get("release") or self.release_id
        self._given = given.get("answer")
        self.analysis = self.analysis or given.get("analysis") or {}
        self.project_id = self.project_id or given.get("project")

    def answer(self, deadline_s: float = PATIENCE_S, *, show: Union[bool, progress.Progress] = True) -> A:
        """Waits for the answer and shows how far it is.

        Raises `NoAnswer` where the question ended without one, `DeadlinePassed` after `deadline_s`
        seconds: the question goes on, and this can be called again. A broken connection or an
        overloaded node is waited out until the deadline.
        """
        shown = progress.usual() if show is True else (show or progress.Silent())
        clock = self._door.clock
        begun = clock.now()
        try:
            while not (self._is_whole and self._standing and self._standing.is_over):
                left = begun + deadline_s - clock.now()
                if left <= 0:
                    raise DeadlinePassed(
                        f"no answer within {deadline_s:g} seconds; the question goes on: "
                        f"take it up by `session.question({self.id!r})`",
                        question_id=self.id,
                    )
                called = clock.now()
                try:
                    self.standing(wait_s=int(min(_CALL_S, left)))
                except (Unreachable, Busy):
                    if begun + deadline_s <= clock.now():
                        raise
                    shown.show(0.0, "the node cannot be reached; trying again")
                    continue
                shown.show(*self._far(clock.now() - begun))
                # A node that does not keep the call back is not asked more than once a second.
                early = _LEAST_S - (clock.now() - called)
                if early > 0 and not cast(Standing, self._standing).is_over:
                    clock.sleep(early)
        finally:
            shown.close()
        return self._read()

    def _far(self, seconds: float) -> Tuple[float, str]:
        standing = cast(Standing, self._standing)
        # Nobody knows the last round before it came: the bar is full at the end and not before.
        part = 1.0 if standing.is_over else min(0.95, standing.rounds / (self._rounds + 1))
        return part, f"{standing}; {seconds:.0f} s"

    def _read(self) -> A:
        standing = cast(Standing, self._standing)
        if standing.state in ("failed", "withheld") or self._given is None:
            reason = standing.reason or "the node gives no answer"
            raise NoAnswer(reason, question_id=self.id, missing=standing.missing)
        if self._kind is answers.Answer:
            return cast(A, answers.read(self._given, asked=self.analysis, missing=standing.missing))
        return self._kind.read(self._given, asked=self.analysis, missing=standing.missing)


def with_noise(body: Dict[str, Any], epsilon: float) -> Dict[str, Any]:
    """A question with noise of this ε."""
    if not epsilon > 0:
        raise QuestionError("ε is greater than 0: the smaller it is, the more noise there is")
    return {**body, "noise": {"epsilon": float(epsilon)}}


class Questions(List["Question[answers.Answer]"], Tabled):
    """The questions of a project, the latest first."""

    def tables(self) -> List[Table]:
        head = [Column("id"), Column("asked"), Column("state"), Column("rounds", "count")]
        rows: List[List[Any]] = []
        for one in self:
            standing = one._standing
            asked = one.analysis.get("formula") or one.analysis.get("kind")
            rows.append([one.id, asked, standing.state if standing else None, standing.rounds if standing else None])
        return [Table("questions", head, rows)]

    __repr__ = Tabled.__repr__
