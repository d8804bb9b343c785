"""For members of the patient council: what asks the data of one's own institution, and one's word about it.

for project in session.council().waiting:
    project                               # what is asked, by whom and why, and how the council stands to it
    project.agree("Tell us in plain words what comes of it")
    project.object("It asks more of us than it gives back")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple
from urllib.parse import quote

from .rendering import Column, Table, Tabled

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True)
class Word:
    """What a member says of a project."""

    #: `agree` or `object`.
    say: str
    #: On what conditions, or why not.
    conditions: str
    at: str


class CouncilProject(Tabled):
    """A project that asks the data of one's own institution, as its patient council sees it."""

    def __init__(self, session: "Session", given: Dict[str, Any]) -> None:
        self._session = session
        self._take(given)

    def _take(self, given: Dict[str, Any]) -> None:
        application, own = given["application"], given.get("own")
        self._given = given
        self.id: str = given["id"]
        self.title: str = application["title"]
        #: What it is for, as who asks has written it for patients.
        self.purpose: str = application["purpose"]
        #: The institution that asks.
        self.coordinator: str = application["coordinator"]
        #: Who asks, by name.
        self.researchers: Tuple[str, ...] = tuple(one["name"] for one in application.get("researchers", ()))
        self.holders: Tuple[str, ...] = tuple(application["holders"])
        self.dataset_name: str = application["dataset"]
        #: What may be worked out; `extract` are de-identified records of single people.
        self.analyses: Tuple[str, ...] = tuple(application["analyses"])
        #: From when and until when it holds, in RFC 3339.
        self.term: Tuple[str, str] = (application.get("from", ""), application.get("until", ""))
        #: The project that this one changes.
        self.amends: Optional[str] = application.get("amends")
        #: Fewest members who must agree before the institution takes part; 0 where their word is advice.
        self.needed: int = given["needed"]
        #: How many members agree, and how many object.
        self.agreeing: int = given["agree"]
        self.objecting: int = given["object"]
        #: One's own word, where it is given.
        self.own: Optional[Word] = Word(own["say"], own["conditions"], own["at"]) if own else None

    @property
    def state(self) -> str:
        """How the council stands to it."""
        if self.objecting:
            return f"the council objects ({self.objecting} of its members)"
        if self.agreeing < max(1, self.needed):
            return f"the council has not agreed ({self.agreeing} of {max(1, self.needed)} members)"
        return f"the council agrees ({self.agreeing} of its members)"

    def agree(self, conditions: str = "") -> "CouncilProject":
        """Says that the project may ask the data of this institution, on these conditions. Everybody who takes
        part and the patients read them, without a name. One's word can be changed as long as the project lasts.

        Raises `SecondFactorNeeded` without a code of the last five minutes, `NotReady` where the project has
        ended.
        """
        return self._say("agree", conditions)

    def object(self, reason: str) -> "CouncilProject":
        """Says that it may not, and why. Where the council must agree, this withdraws at once what the institution
        has approved.

        Raises as `agree`, and `Invalid` without a reason.
        """
        return self._say("object", reason)

    def refresh(self) -> "CouncilProject":
        """Reads again how it stands."""
        self._take(self._session.council_project(self.id)._given)
        return self

    def _say(self, say: str, conditions: str) -> "CouncilProject":
        path = f"/research/council/{quote(self.id, safe='')}"
        self._session._change("POST", path, {"say": say, "conditions": conditions})
        return self.refresh()

    def lines(self) -> List[str]:
        return [self.title, self.purpose, f"{self.state}; project {self.id}"]

    def tables(self) -> List[Table]:
        asks = [
            ["institution that asks", self.coordinator],
            ["who asks", ", ".join(self.researchers)],
            ["institutions asked", ", ".join(self.holders)],
            ["data set", self.dataset_name],
            ["analyses", ", ".join(self.analyses)],
            ["until", self.term[1][:10]],
            ["own word", _told(self.own)],
        ]
        notes = ["it asks for de-identified records of single people, too"] if "extract" in self.analyses else []
        if self.amends:
            notes.append(f"changes project {self.amends}")
        return [Table("", [Column("what"), Column("told")], asks, notes)]


class CouncilProjects(List[CouncilProject], Tabled):
    """The projects that ask the data of one's own institution, the latest first."""

    @property
    def waiting(self) -> "CouncilProjects":
        """Those about which one has not given one's word."""
        return CouncilProjects(one for one in self if one.own is None)

    def tables(self) -> List[Table]:
        head = [Column("id"), Column("title"), Column("asked by"), Column("council"), Column("own word")]
        rows = [[one.id, one.title, one.coordinator, one.state, one.own.say if one.own else "–"] for one in self]
        return [Table("projects for the patient council", head, rows)]

    __repr__ = Tabled.__repr__


def _told(word: Optional[Word]) -> str:
    if word is None:
        return "not given"
    return f"{word.say}: {word.conditions}" if word.conditions else word.say
