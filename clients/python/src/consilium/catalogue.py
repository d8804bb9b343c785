"""What the institutions of the network hold: data sets in words and noisy counts, never a row.

catalogue = session.catalog()
catalogue.find("oncology")
entry = catalogue["trial"]
entry.dictionary                                  # the variables, for writing code outside first
entry.croissant()                                 # the same for programs
project = entry.apply(title="Who survives", purpose="To learn whether …")
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple
from urllib.parse import quote

from .dictionary import Dictionary
from .errors import NotFound, QuestionError
from .holdings import Holding
from .rendering import Column, Table, Tabled
from .twins import Twin

if TYPE_CHECKING:
    from .projects import Project
    from .session import Session


class Entry(Tabled):
    """One data set, at every institution that holds it."""

    def __init__(self, session: "Session", given: Dict[str, Any], own: str) -> None:
        self._session = session
        self._own = own
        self.name: str = given["name"]
        self.holdings: Tuple[Holding, ...] = tuple(Holding.read(one) for one in given["holders"])

    @property
    def holders(self) -> Tuple[str, ...]:
        """Who holds it."""
        return tuple(one.institution for one in self.holdings)

    @property
    def title(self) -> str:
        return self.holdings[0].title if self.holdings else self.name

    @property
    def dictionary(self) -> Dictionary:
        """The variables, as the first holder that tells all of them declares them.

        Raises `NotFound` where none does, because there are too many: ask a holder.
        """
        for one in self.holdings:
            if one.is_whole:
                return one.dictionary
        raise NotFound(f"no holder tells the whole dictionary of `{self.name}`; ask one of {', '.join(self.holders)}")

    def holding(self, institution: str) -> Holding:
        """What one institution tells of it."""
        for one in self.holdings:
            if one.institution == institution:
                return one
        raise NotFound(f"`{institution}` does not hold `{self.name}`; {', '.join(self.holders)} do")

    def croissant(self) -> Dict[str, Any]:
        """The data set in Croissant 1.1, as one's own institution describes it.

        Raises `NotFound` where it does not hold the data set; `holding(…).documents` has the addresses of
        those that do.
        """
        return dict(json.loads(self._document("croissant.json")))

    def head(self) -> List[str]:
        """The names of its columns, in the order of its files."""
        return self._document("head.csv").decode().strip().split(",")

    def twin(self) -> Twin:
        """A synthetic twin at one's own institution: made-up rows whose distributions are like those of the
        data set, with differential privacy. For writing and trying code, never for results.

        Raises `NotFound` where the node makes none.
        """
        door = self._session._door
        try:
            about = door.call("GET", self._path("twin"))
            return Twin.read(self.name, about, door.document(self._path("twin.csv")).decode())
        except NotFound as error:
            raise NotFound(
                f"your institution's node makes no synthetic twin of `{self.name}`: it does not hold it, or is older",
                refused_by=error.refused_by,
                status=error.status,
            ) from None

    def apply(
        self,
        *,
        title: str,
        purpose: str,
        holders: Optional[Sequence[str]] = None,
        aggregators: Optional[Sequence[str]] = None,
        min_rows: Optional[int] = None,
        **more: Any,
    ) -> "Project":
        """Applies for a project with it: with all who hold it, at their least number of rows, unless said
        otherwise. The two who add up are the last two holders. `more` is as in `session.apply`."""
        asked = list(holders if holders is not None else self.holders)
        adders = list(aggregators if aggregators is not None else asked[-2:])
        if len(adders) != 2:
            raise QuestionError("two institutions add up; name them: `aggregators=['east', 'south']`")
        rows = max([50, *(one.min_rows for one in self.holdings if one.institution in asked)])
        more.setdefault("min_sites", max(2, min(3, len(asked))))
        return self._session.apply(
            title=title,
            purpose=purpose,
            dataset=self.name,
            holders=asked,
            aggregators=adders,
            min_rows=rows if min_rows is None else min_rows,
            **more,
        )

    def _path(self, document: str) -> str:
        return f"/research/catalog/{quote(self.name, safe='')}/{document}"

    def _document(self, document: str) -> bytes:
        try:
            return self._session._door.document(self._path(document))
        except NotFound:
            raise NotFound(
                f"there is no description of `{self.name}` at your institution; {', '.join(self.holders)} hold it",
                refused_by=self._session._door.address,
            ) from None

    def lines(self) -> List[str]:
        return [f"{self.name}: {self.title}", *(one.description for one in self.holdings[:1] if one.description)]

    def tables(self) -> List[Table]:
        head = [Column("institution"), Column("people"), Column("from"), Column("until")]
        head += [Column("variables", "count"), Column("rows behind an answer", "count")]
        rows: List[List[Any]] = [
            [one.institution, str(one.people), *one.period, len(one.dictionary), one.min_rows] for one in self.holdings
        ]
        whole = [one.dictionary.tables()[0] for one in self.holdings if one.is_whole][:1]
        notes = list(dict.fromkeys(one.conditions for one in self.holdings if one.conditions))
        return [Table("held by", head, rows, notes), *whole]


class Catalogue(Tabled):
    """The data sets of the network, by name."""

    def __init__(self, session: "Session", given: Dict[str, Any], entries: Optional[List[Entry]] = None) -> None:
        self._session = session
        self._given = given
        #: One's own institution.
        self.institution: str = given["institution"]
        read = [Entry(session, one, self.institution) for one in given["datasets"]]
        self.entries: List[Entry] = read if entries is None else entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, name: object) -> bool:
        return any(one.name == name for one in self.entries)

    def __getitem__(self, name: str) -> Entry:
        for one in self.entries:
            if one.name == name:
                return one
        known = ", ".join(f"`{one.name}`" for one in self.entries) or "none"
        raise NotFound(f"there is no data set `{name}` in the catalogue; there are {known}")

    def find(self, words: str = "", *, institution: str = "", variable: str = "") -> "Catalogue":
        """Those with all of these words in name, title, description, keywords, code systems or variables;
        held by an institution; with a variable whose name begins so."""
        wanted = words.lower().split()
        found = [
            entry
            for entry in self.entries
            if any(
                all(word in _text(one) for word in wanted)
                and institution in ("", one.institution)
                and any(each.name.lower().startswith(variable.lower()) for each in one.dictionary)
                for one in entry.holdings
            )
        ]
        return Catalogue(self._session, self._given, found)

    def health_dcat(self, form: str = "turtle") -> str:
        """One's own institution's catalogue in HealthDCAT-AP: `turtle` or `json-ld`."""
        paths = {"turtle": "/research/catalog.ttl", "json-ld": "/research/catalog.jsonld"}
        if form not in paths:
            raise QuestionError(f"`form` is one of {', '.join(f'`{one}`' for one in paths)}")
        return self._session._door.document(paths[form]).decode()

    def tables(self) -> List[Table]:
        head = [Column("name"), Column("title"), Column("held by"), Column("people"), Column("variables", "count")]
        rows: List[List[Any]] = [
            [
                one.name,
                one.title,
                ", ".join(one.holders),
                "; ".join(str(each.people) for each in one.holdings),
                max(len(each.dictionary) for each in one.holdings),
            ]
            for one in self.entries
        ]
        away = [one["institution"] for one in self._given.get("members", ()) if one.get("unreached_since")]
        notes = [f"could not be reached, shown as they last told: {', '.join(away)}"] if away else []
        return [Table("catalogue", head, rows, notes)]


def _text(one: Holding) -> str:
    names = [f"{each.name} {each.description}" for each in one.dictionary]
    parts = [one.name, one.title, one.description, *one.keywords, *one.coding_systems, *names]
    return " ".join(parts).lower()
