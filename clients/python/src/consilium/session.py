"""Signing in, and what is there for whoever is signed in."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, Optional, Sequence, Type, Union
from urllib.parse import quote

from . import answers, progress
from .catalogue import Catalogue
from .cohorts import Budget, Counted, Plan
from .council import CouncilProject, CouncilProjects
from .criteria import Cohort
from .datasets import Dataset, Datasets
from .door import Clock, Door, Token
from .errors import ConsiliumError, NotFound, NotSignedIn, QuestionError
from .programs import Program, Programs
from .projects import Project, Projects
from .queries import Views
from .questions import Question
from .releases import Output, Outputs, Release
from .transport import HttpsTransport, Transport

#: Seconds that a count may take beside what a call takes.
_COUNT_S = 30.0


def sign_in(
    address: str,
    username: Optional[str] = None,
    *,
    password: Optional[str] = None,
    code: Optional[str] = None,
    ca_file: Optional[str] = None,
    transport: Optional[Transport] = None,
    clock: Optional[Clock] = None,
) -> "Session":
    """Signs in at the node of one's own institution, with a password and a one-time code.

    What is not handed in is asked for where somebody sits: neither stands in the notebook then. A
    password is used once and not kept. `ca_file` holds certificates of an authority that the computer
    does not know.

    Raises `NotSignedIn` where something is wrong, by the node's rule.
    """
    door = Door(transport or HttpsTransport(address, ca_file=ca_file), clock)
    asks = _somebody_sits_here()
    if username is None:
        username = _ask("Username: ", asks, input)
    if password is None:
        password = _ask(f"Password of {username}: ", asks, getpass.getpass)
        if code is None:
            code = _ask("One-time code: ", asks, getpass.getpass)
    body = {"username": username, "password": password}
    if code:
        body["totp"] = code.strip()
    given = door.call("POST", "/auth/session", body)
    del password, body
    door.token = Token(str(given["token"]))
    return Session(door, username, _asked_code if asks else None)


def with_token(
    address: str,
    token: str,
    *,
    ca_file: Optional[str] = None,
    transport: Optional[Transport] = None,
    clock: Optional[Clock] = None,
) -> "Session":
    """A session by a token that was come by elsewhere."""
    door = Door(transport or HttpsTransport(address, ca_file=ca_file), clock)
    door.token = Token(token)
    return Session(door, None, _asked_code if _somebody_sits_here() else None)


class Session:
    """Somebody who is signed in at a node. Ends by `sign_out`, at the end of a `with`, or by itself
    after a quarter of an hour without a call."""

    def __init__(self, door: Door, username: Optional[str], code: Optional[Callable[[], str]]) -> None:
        self._door = door
        self.username = username
        self.code = code

    @property
    def code(self) -> Optional[Callable[[], str]]:
        """Where a one-time code comes from when applying or asking needs a fresh one; `None` raises
        `SecondFactorNeeded` instead."""
        return self._door.code

    @code.setter
    def code(self, code: Optional[Callable[[], str]]) -> None:
        self._door.code = code

    def __repr__(self) -> str:
        who = self.username or "somebody"
        return f"<Session of {who} at {self._door.address}{'' if self._door.token else ', ended'}>"

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            self.sign_out()
        except ConsiliumError:
            if error is None:
                raise

    def sign_out(self) -> None:
        """Ends the session."""
        if self._door.token is not None:
            try:
                self._door.call("DELETE", "/auth/session", deadline_s=10.0)
            except NotSignedIn:
                pass
            self._door.token = None

    def step_up(self, code: str) -> None:
        """Proves the second factor again. Applying, deciding and asking need one that is not older than
        five minutes."""
        self._door.call("POST", "/auth/step-up", {"totp": code.strip()})

    def datasets(self) -> Datasets:
        """The data sets of one's own institution, with their variables."""
        given = self._door.call("GET", "/research/datasets")
        return Datasets(Dataset.read(one) for one in given["datasets"])

    def dataset(self, name: str) -> Dataset:
        """One of them."""
        for one in self.datasets():
            if one.name == name:
                return one
        raise NotFound(f"there is no data set `{name}` here", refused_by=self._door.address)

    def projects(self) -> Projects:
        """The projects that concern one's own institution, the latest first."""
        given = self._door.call("GET", "/research/projects")
        return Projects(Project(self, one) for one in given["projects"])

    def project(self, id: str) -> Project:
        """One of them."""
        for one in self.projects():
            if one.id == id:
                return one
        raise NotFound(
            "there is no such project, or it does not concern this institution", refused_by=self._door.address
        )

    def catalog(self) -> Catalogue:
        """What the institutions of the network hold: data sets in words and noisy counts, never a row."""
        return Catalogue(self, self._door.call("GET", "/research/catalog"))

    def views(self) -> Views:
        """The tables of one's own institution that projects can ask by SQL."""
        return Views.read(self._door.call("GET", "/research/views"))

    def plan(self, cohort: Cohort, *, scope: str = "network", epsilon: float = 1.0) -> Plan:
        """What a count of a cohort would cost and how exact it would be. Nothing is counted or spent."""
        return Plan.read(self._door.change("POST", "/research/cohorts", _cohort(cohort, scope, epsilon, dry=True)))

    def count(self, cohort: Cohort, *, scope: str = "network", epsilon: float = 1.0) -> Counted:
        """Counts people step by step, with noise: at all institutions (`network`) or at one's own (`own`).
        It costs ε of a privacy budget at each; the same question again costs nothing.

        Raises `Refused` with the rule `budget` where one's own is spent.
        """
        body = _cohort(cohort, scope, epsilon, dry=False)
        return Counted.read(self._door.change("POST", "/research/cohorts", body, patience_s=_COUNT_S))

    def budget(self) -> Budget:
        """What may still be learned by counting, at one's own institution."""
        return Budget.read(self._door.change("GET", "/research/budget"))

    def upload(self, program: Union[bytes, str, "os.PathLike[str]"]) -> Program:
        """Hands in a program of one's own, a WebAssembly component as bytes or as a file, so that projects
        can name it by its hash. The node says what it is, or by which rule it is none."""
        content = program if isinstance(program, bytes) else Path(program).read_bytes()
        return Program.read(self._door.upload("/research/programs", content, "application/wasm"))

    def programs(self) -> Programs:
        """The programs that projects of one's own institution name, each once."""
        found = {one.program.hash: one.program for project in self.projects() for one in project.programs}
        return Programs(found.values())

    def program_bytes(self, hash: str) -> bytes:
        """The bytes of a program, to be compared with what somebody built of its source."""
        return self._door.document(f"/research/programs/{quote(hash, safe='')}")

    def apply(
        self,
        *,
        title: str,
        purpose: str,
        dataset: str,
        holders: Sequence[str],
        aggregators: Sequence[str],
        analyses: Sequence[str] = ("regression", "summary", "crosstab", "survival"),
        min_sites: int = 3,
        min_rows: int = 50,
        days: int = 365,
        researchers: Sequence[Dict[str, str]] = (),
        programs: Sequence[Dict[str, Any]] = (),
        release: Optional[str] = None,
        privacy: Optional[Dict[str, float]] = None,
        amends: Optional[str] = None,
    ) -> Project:
        """Applies for a project. Every holder and both aggregators must approve it.

        `researchers` are others at this institution who may ask too, as `{"account", "name"}`; `programs`
        are what `Program.declared` gives; `release="checked"` has two people look at every answer;
        `privacy={"epsilon": 2.0}` asks for differential privacy with this budget; `amends` is the id of a
        project that this one changes. Raises `NotSupported` at a node that does not know what is asked.
        """
        kinds = [*analyses, *(["program"] if programs and "program" not in analyses else [])]
        body: Dict[str, Any] = {
            "title": title,
            "purpose": purpose,
            "researchers": list(researchers),
            "holders": list(holders),
            "aggregators": list(aggregators),
            "dataset": dataset,
            "analyses": kinds,
            "min_sites": min_sites,
            "min_rows": min_rows,
            "days": days,
        }
        # Only what is asked for: a node that does not know of it goes on as it does.
        more = {"programs": list(programs), "release": release, "privacy": privacy, "amends": amends}
        body.update({name: value for name, value in more.items() if value})
        return self.project(self._change("POST", "/research/projects", body)["id"])

    def release(self, id: str) -> Release:
        """A released answer as it was signed, by what it is cited by."""
        return Release(self._door, self._door.call("GET", f"/research/releases/{quote(id, safe='')}"))

    def outputs(self) -> Outputs:
        """For stewards: the answers on their way out, the latest first."""
        given = self._door.call("GET", "/research/outputs")
        return Outputs(Output(self._door, one) for one in given["outputs"])

    def output(self, question_id: str) -> Output:
        """For stewards who are not named in its project: one of them, with its evidence and the answer."""
        return Output(self._door, self._door.call("GET", f"/research/outputs/{quote(question_id, safe='')}"))

    def council(self) -> CouncilProjects:
        """For members of the patient council: the projects that ask the data of one's own institution, the latest
        first. `.waiting` are those that wait for one's word."""
        given = self._door.call("GET", "/research/council")
        return CouncilProjects(CouncilProject(self, one) for one in given["projects"])

    def council_project(self, id: str) -> CouncilProject:
        """For members of the patient council: one of them."""
        for one in self.council():
            if one.id == id:
                return one
        raise NotFound(
            "there is no such project, or it does not ask this institution's data", refused_by=self._door.address
        )

    def question(self, id: str) -> Question[answers.Answer]:
        """A question that was asked before, by whatever program, to be watched or read again."""
        question: Question[answers.Answer] = Question(self._door, id, kind=answers.Answer)
        question.standing()
        return question

    def _change(self, method: str, path: str, body: Dict[str, Any]) -> Any:
        return self._door.change(method, path, body)


def _cohort(cohort: Cohort, scope: str, epsilon: float, *, dry: bool) -> Dict[str, Any]:
    if scope not in ("own", "network"):
        raise QuestionError("`scope` is one of `own`, `network`")
    least = 0.1 if scope == "own" else 0.2
    if not least <= epsilon <= 1000:
        raise QuestionError(f"ε of a count over `{scope}` is from {least} to 1000")
    body: Dict[str, Any] = {"cohort": cohort.written(), "scope": scope, "epsilon": float(epsilon)}
    return {**body, "dry": True} if dry else body


def _asked_code() -> str:
    return getpass.getpass("A fresh one-time code: ")


def _ask(prompt: str, asks: bool, how: Callable[[str], str]) -> str:
    if not asks:
        raise ConsiliumError("hand in username, password and code: nobody is there to be asked")
    return how(prompt)


def _somebody_sits_here() -> bool:
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    return is_terminal or progress.is_notebook()
