"""Signing in, and what is there for whoever is signed in."""

from __future__ import annotations

import getpass
import sys
from types import TracebackType
from typing import Any, Callable, Dict, Optional, Sequence, Type

from . import answers, progress
from .datasets import Dataset, Datasets
from .door import Clock, Door, Token
from .errors import ConsiliumError, NotFound, NotSignedIn, SecondFactorNeeded
from .projects import Project, Projects
from .questions import Question
from .transport import HttpsTransport, Transport


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
        #: Where a one-time code comes from when applying or asking needs a fresh one; `None` raises
        #: `SecondFactorNeeded` instead.
        self.code = code

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
    ) -> Project:
        """Applies for a project. Every holder and both aggregators must approve it.

        `researchers` are others at this institution who may ask too, as `{"account", "name"}`.
        """
        body = {
            "title": title,
            "purpose": purpose,
            "researchers": list(researchers),
            "holders": list(holders),
            "aggregators": list(aggregators),
            "dataset": dataset,
            "analyses": list(analyses),
            "min_sites": min_sites,
            "min_rows": min_rows,
            "days": days,
        }
        return self.project(self._change("POST", "/research/projects", body)["id"])

    def question(self, id: str) -> Question[answers.Answer]:
        """A question that was asked before, by whatever program, to be watched or read again."""
        question: Question[answers.Answer] = Question(self._door, id, kind=answers.Answer)
        question.standing()
        return question

    def _change(self, method: str, path: str, body: Dict[str, Any]) -> Any:
        """A call that needs a fresh second factor, which is asked for once where somebody sits."""
        try:
            return self._door.call(method, path, body)
        except SecondFactorNeeded:
            if self.code is None:
                raise
            self.step_up(self.code())
            return self._door.call(method, path, body)


def _asked_code() -> str:
    return getpass.getpass("A fresh one-time code: ")


def _ask(prompt: str, asks: bool, how: Callable[[str], str]) -> str:
    if not asks:
        raise ConsiliumError("hand in username, password and code: nobody is there to be asked")
    return how(prompt)


def _somebody_sits_here() -> bool:
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    return is_terminal or progress.is_notebook()
