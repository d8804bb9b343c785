"""Released answers, as they were signed and are cited, and answers on their way out.

release = session.release(question.release_id)
release.answer                                    # the answer, in the form that left
release.save_crate("who-survives.zip")            # a Five Safes RO-Crate, to be kept with the paper
question.publish("Who survives", "https://doi.org/…")
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union
from urllib.parse import quote

from . import answers
from .errors import ConsiliumError, NodeFailed, Refusal
from .rendering import Column, Table, Tabled

if TYPE_CHECKING:
    from .door import Door


@dataclass(frozen=True)
class Check:
    """Somebody who looked at an answer before it left. `release` is absent in what was released: all said
    that it may leave."""

    by: str
    reason: str
    at: str
    release: Optional[bool] = None


@dataclass(frozen=True)
class Publication:
    """Where an answer was published."""

    title: str
    address: str


class Release(Tabled):
    """A released answer with what is needed to understand and to repeat it."""

    def __init__(self, door: "Door", given: Dict[str, Any]) -> None:
        told = given["release"]
        self._door = door
        #: What it is cited by: the hash of what was signed.
        self.id: str = given["id"]
        #: The signed text, as anybody can check it.
        self.sealed: Any = given.get("sealed")
        self.title: str = told["title"]
        self.project_id: str = told["project"]
        self.coordinator: str = told["coordinator"]
        #: Institutions that were asked and are not in it.
        self.missing: Tuple[str, ...] = tuple(told.get("missing", ()))
        #: What output checking found, part by part.
        self.findings: Tuple[str, ...] = tuple(told.get("findings", ()))
        self.checks: Tuple[Check, ...] = tuple(
            Check(one["name"], one["reason"], one["at"]) for one in told.get("checks", ())
        )
        self.software: str = told.get("software", "")
        self.at: str = told["at"]
        try:
            #: The limits that it was held to.
            self.rules: Dict[str, Any] = dict(json.loads(told["rules"]))
            self._answer = dict(json.loads(told["answer"]))
            inquiry = json.loads(told["inquiry"]["text"])
        except (KeyError, TypeError, ValueError):
            raise NodeFailed("the release cannot be read by this version of the package") from None
        self._asked = _analysis(inquiry)

    @property
    def answer(self) -> "answers.Answer":
        """The answer, in the form that left."""
        missing = {site: Refusal(site, None, "not in the answer") for site in self.missing}
        return answers.read(self._answer, asked=self._asked, missing=missing)

    @property
    def citation(self) -> str:
        """A line for a list of references."""
        return f"{self.coordinator}: {self.title}. Released answer {self.id}, {self.at[:10]}. {self.software}."

    def crate(self) -> bytes:
        """A Five Safes RO-Crate as a ZIP archive: question, release and answer, as they were signed, with
        who asked, who let it be asked and who looked at what came of it."""
        return self._door.document(f"/research/releases/{quote(self.id, safe='')}/crate")

    def save_crate(self, path: Union[str, "os.PathLike[str]"]) -> Path:
        """Writes the crate into a file, which must not be there yet."""
        content, target = self.crate(), Path(path)
        with target.open("xb") as file:
            file.write(content)
        return target

    def lines(self) -> List[str]:
        looked = [f"{one.by} looked at it on {one.at[:10]}: {one.reason}" for one in self.checks]
        return [self.citation, *(looked or ["the rules of output checking found no fault"])]

    def tables(self) -> List[Table]:
        rules = [
            [name, value if isinstance(value, (int, float, str)) else json.dumps(value)]
            for name, value in self.rules.items()
        ]
        found = [[one] for one in self.findings]
        held = Table("rules", [Column("rule"), Column("limit")], rules)
        return [*self.answer.tables(), held, *([Table("findings", [Column("finding")], found)] if found else [])]


def _analysis(inquiry: Any) -> Dict[str, Any]:
    question = inquiry.get("question") if isinstance(inquiry, dict) else None
    if isinstance(question, str):
        try:
            question = json.loads(question)
        except ValueError:
            question = None
    analysis = question.get("analysis") if isinstance(question, dict) else None
    return analysis if isinstance(analysis, dict) else {}


class Output(Tabled):
    """An answer on its way out, for the stewards who decide about it."""

    def __init__(self, door: "Door", given: Dict[str, Any]) -> None:
        self._door = door
        self._take(given)

    def _take(self, given: Dict[str, Any]) -> None:
        state = given.get("state")
        told = state if isinstance(state, dict) else {"state": state}
        self.question_id: str = given["question"]
        self.project_id: str = given["project"]
        #: `waits`, `released` or `withheld`.
        self.state = str(told.get("state"))
        self.release_id: Optional[str] = told.get("id")
        #: Why people have to look, without a value.
        self.reasons: Tuple[str, ...] = tuple(given.get("reasons", ()))
        self.checks: Tuple[Check, ...] = tuple(
            Check(one["by"], one["reason"], one["at"], one["release"]) for one in given.get("checks", ())
        )
        #: Whether the form that may leave by the rules is a part of the answer only.
        self.is_reduced = bool(given.get("reduced"))
        self.publications: Tuple[Publication, ...] = tuple(
            Publication(one["title"], one["address"]) for one in given.get("publications", ())
        )
        #: What was found part by part, with evidence, and the whole answer; `None` in lists.
        self.findings: Any = given.get("findings")
        self._answer = given.get("answer")

    @property
    def answer(self) -> "answers.Answer":
        """The whole answer, for those who decide whether it may leave: `session.output(id).answer`."""
        if self._answer is None:
            raise ConsiliumError("lists hold no answers; read it by `session.output(question_id)`")
        return answers.read(self._answer, asked={}, missing={})

    def decide(self, choice: str, reason: str) -> "Output":
        """`release` or `withhold`, with a reason. Two people must say that it may leave."""
        path = f"/research/outputs/{quote(self.question_id, safe='')}/decision"
        self._take(self._door.change("POST", path, {"choice": choice, "reason": reason}))
        return self

    def lines(self) -> List[str]:
        stands = f"{self.state}{f' as {self.release_id}' if self.release_id else ''}"
        return [f"answer to question {self.question_id}: {stands}", *self.reasons]

    def tables(self) -> List[Table]:
        head = [Column("who"), Column("may leave"), Column("reason"), Column("at")]
        rows = [[one.by, "yes" if one.release else "no", one.reason, one.at] for one in self.checks]
        published = [[one.title, one.address] for one in self.publications]
        more = [Table("published", [Column("title"), Column("address")], published)] if published else []
        return [Table("checks", head, rows), *more]


class Outputs(List[Output], Tabled):
    """Answers on their way out, the latest first."""

    def tables(self) -> List[Table]:
        head = [Column("question"), Column("project"), Column("state"), Column("checks", "count"), Column("why")]
        rows: List[List[Any]] = [
            [one.question_id, one.project_id, one.state, len(one.checks), "; ".join(one.reasons)] for one in self
        ]
        return [Table("outputs", head, rows)]

    __repr__ = Tabled.__repr__
