"""Criteria of cohorts, written as one speaks of them.

    from consilium.criteria import LOINC, RXNORM, SNOMED, Cohort, age, condition, medication, before

    diabetes = condition(SNOMED, "44054006", called="type 2 diabetes")
    insulin = medication(RXNORM, "5856", called="insulin")
    cohort = (
        Cohort(diabetes.first())
        .step("adults", age(at_least=18))
        .step("no insulin before", insulin.never(before()))
    )

Criteria are joined by `&` and `|`, and turned round by `~`. What is missing is not met: who has no date
of birth is in no range of ages, and `~` lets pass who is not shown to meet what it turns round. Relations
count whole days to the index event, or to an event that was `named`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Tuple, Union

from .errors import QuestionError

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ATC = "http://www.whocc.no/atc"
CVX = "http://hl7.org/fhir/sid/cvx"

INDEX = "index"
#: Most steps of a cohort, as nodes have them.
MOST_STEPS = 50
SEXES = ("female", "male", "other", "unknown")


@dataclass(frozen=True)
class Criterion:
    """A condition on a person, in the node's JSON."""

    json: Dict[str, Any]

    def __and__(self, other: "Criterion") -> "Criterion":
        return Criterion({"all": [*_parts(self, "all"), *_parts(other, "all")]})

    def __or__(self, other: "Criterion") -> "Criterion":
        return Criterion({"any": [*_parts(self, "any"), *_parts(other, "any")]})

    def __invert__(self) -> "Criterion":
        return Criterion({"none": [self.json]})

    def __bool__(self) -> bool:
        raise QuestionError("join criteria by `&` and `|`, and turn them round by `~`: `and`, `or`, `not` cannot be")


def _parts(one: Criterion, word: str) -> List[Dict[str, Any]]:
    return list(one.json[word]) if word in one.json else [one.json]


@dataclass(frozen=True)
class Relation:
    """How an event stands to another in time, in the node's JSON."""

    json: Dict[str, Any]


@dataclass(frozen=True)
class Picked:
    """One of the events that fit: the first, the last, or any of them in turn."""

    pick: str
    event: "Event"


@dataclass(frozen=True)
class Event:
    """Events of a kind with one of some codes; every event of the kind where none are named."""

    kind: str
    codes: Tuple[str, ...] = ()
    called: str = ""
    tests: Tuple[Tuple[str, float, str], ...] = ()

    def value(
        self,
        *,
        below: Optional[float] = None,
        at_most: Optional[float] = None,
        equal: Optional[float] = None,
        at_least: Optional[float] = None,
        above: Optional[float] = None,
        unit: str = "",
    ) -> "Event":
        """Those whose value stands so to numbers, in a UCUM `unit` as written: nothing is converted."""
        if self.kind != "observation":
            raise QuestionError("only observations have values")
        given = (("below", below), ("at-most", at_most), ("equal", equal), ("at-least", at_least), ("above", above))
        tests = tuple((word, float(number), unit) for word, number in given if number is not None)
        if not tests:
            raise QuestionError("name a number: `value(at_least=140, unit='mm[Hg]')`")
        return replace(self, tests=(*self.tests, *tests))

    def first(self) -> Picked:
        """The earliest, by which a person enters, or which is `named`."""
        return Picked("first", self)

    def last(self) -> Picked:
        """The latest."""
        return Picked("last", self)

    def any(self) -> Picked:
        """Each in turn: a person is counted while one of them meets all steps."""
        return Picked("any", self)

    def occurs(self, *when: Relation, at_least: int = 1) -> Criterion:
        """It happened, so often at least, and each time in these relations."""
        return self._criterion({"at-least": at_least}, when)

    def never(self, *when: Relation) -> Criterion:
        """It did not happen in these relations."""
        return self._criterion("never", when)

    def first_ever(self, *when: Relation) -> Criterion:
        """The first of a person's life stands in these relations."""
        return self._criterion("first-ever", when)

    def written(self) -> Dict[str, Any]:
        """The node's JSON."""
        out: Dict[str, Any] = {"kind": self.kind}
        if self.called:
            out["called"] = self.called
        if self.codes:
            out["codes"] = list(self.codes)
        if self.tests:
            out["value"] = [{"is": word, "number": number, "unit": unit} for word, number, unit in self.tests]
        return out

    def _criterion(self, occurs: Any, when: Tuple[Relation, ...]) -> Criterion:
        out: Dict[str, Any] = {"event": self.written(), "occurs": occurs}
        if when:
            out["when"] = [one.json for one in when]
        return Criterion({"event": out})


def _event(kind: str, system: str, codes: Tuple[str, ...], called: str) -> Event:
    if codes and not system:
        raise QuestionError("name the code system before the codes: `condition(SNOMED, '44054006')`")
    if system and not codes and "|" not in system:
        raise QuestionError(f"name codes of {system}, or nothing for every {kind}")
    named = tuple(f"{system}|{code}" for code in codes) if codes else ((system,) if system else ())
    return Event(kind, named, called)


def condition(system: str = "", *codes: str, called: str = "") -> Event:
    """A diagnosis or problem; its day is its onset. Codes are taken as given: expand hierarchies before."""
    return _event("condition", system, codes, called)


def observation(system: str = "", *codes: str, called: str = "") -> Event:
    """A measurement or finding; `.value(at_least=140, unit="mm[Hg]")` compares."""
    return _event("observation", system, codes, called)


def medication(system: str = "", *codes: str, called: str = "") -> Event:
    """A medication ordered, given or stated."""
    return _event("medication", system, codes, called)


def procedure(system: str = "", *codes: str, called: str = "") -> Event:
    """A procedure performed."""
    return _event("procedure", system, codes, called)


def immunization(system: str = "", *codes: str, called: str = "") -> Event:
    """A vaccine given."""
    return _event("immunization", system, codes, called)


def allergy(system: str = "", *codes: str, called: str = "") -> Event:
    """An allergy or intolerance."""
    return _event("allergy", system, codes, called)


def encounter(system: str = "", *codes: str, called: str = "") -> Event:
    """A contact with a provider; its codes are its class and its types."""
    return _event("encounter", system, codes, called)


def age(*, at_least: Optional[int] = None, at_most: Optional[int] = None) -> Criterion:
    """Completed years at the index date, both bounds included."""
    if at_least is None and at_most is None:
        raise QuestionError("name a bound: `age(at_least=18)`")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise QuestionError("the least age is greater than the most")
    bounds = (("at-least", at_least), ("at-most", at_most))
    return Criterion({"age": {word: years for word, years in bounds if years is not None}})


def sex(*values: str) -> Criterion:
    """Administrative sex: `female`, `male`, `other`, `unknown`."""
    if not values or any(value not in SEXES for value in values):
        raise QuestionError(f"`sex` takes {', '.join(f'`{one}`' for one in SEXES)}")
    return Criterion({"sex": list(values)})


def alive() -> Criterion:
    """Alive at the index date."""
    return Criterion({"alive": {}})


def before(at_least: int = 1, at_most: Optional[int] = None, *, of: str = INDEX) -> Relation:
    """So many days before the index event, or another by its name."""
    return Relation({"before": _distance(at_least, at_most, of)})


def after(at_least: int = 1, at_most: Optional[int] = None, *, of: str = INDEX) -> Relation:
    """So many days after it."""
    return Relation({"after": _distance(at_least, at_most, of)})


def within(days_before: int, days_after: int, *, of: str = INDEX) -> Relation:
    """From so many days before to so many days after it, both included."""
    return Relation({"within": {"of": of, "days-before": days_before, "days-after": days_after}})


def same_encounter(of: str = INDEX) -> Relation:
    """During the same encounter."""
    return Relation({"same-encounter": {"of": of}})


def _distance(at_least: int, at_most: Optional[int], of: str) -> Dict[str, Any]:
    if at_most is not None and at_most < at_least:
        raise QuestionError("the least number of days is greater than the most")
    out: Dict[str, Any] = {"of": of, "at-least": at_least}
    return out if at_most is None else {**out, "at-most": at_most}


class Cohort:
    """Who is counted: an index event by which a person enters, or nobody's (then the day of the question
    stands for it), and steps, each of which says how many are left."""

    def __init__(self, index: Optional[Union[Picked, Event]] = None) -> None:
        self.index = index.first() if isinstance(index, Event) else index
        self.named_events: Tuple[Dict[str, Any], ...] = ()
        self.steps: Tuple[Tuple[str, Criterion], ...] = ()

    def named(self, name: str, picked: Picked, *when: Relation) -> "Cohort":
        """The same with an event that later relations may refer to by its name."""
        if picked.pick == "any":
            raise QuestionError("a named event is the first or the last")
        if not name or name == INDEX or any(one["name"] == name for one in self.named_events):
            raise QuestionError(f"the name `{name}` is taken")
        event = {"name": name, "pick": picked.pick, "event": picked.event.written(), "when": [one.json for one in when]}
        return self._with((*self.named_events, event), self.steps)

    def step(self, label: str, criterion: Criterion) -> "Cohort":
        """The same with a further step. A cohort is not changed: what it was can be gone on from."""
        if not label.strip():
            raise QuestionError("a step has a label, which stands beside its count")
        if len(self.steps) >= MOST_STEPS:
            raise QuestionError(f"a cohort has at most {MOST_STEPS} steps")
        return self._with(self.named_events, (*self.steps, (label, criterion)))

    def written(self) -> Dict[str, Any]:
        """The node's JSON."""
        if self.index is None and not self.steps:
            raise QuestionError("a cohort needs an index event or a step")
        out: Dict[str, Any] = {}
        if self.index is not None:
            out["index"] = {"pick": self.index.pick, "event": self.index.event.written()}
        if self.named_events:
            out["named"] = list(self.named_events)
        out["steps"] = [{"label": label, "criterion": one.json} for label, one in self.steps]
        return out

    def _with(self, named: Tuple[Dict[str, Any], ...], steps: Tuple[Tuple[str, Criterion], ...]) -> "Cohort":
        out = Cohort(self.index)
        out.named_events, out.steps = named, steps
        return out

    def __repr__(self) -> str:
        entered = f"{self.index.pick} {self.index.event.called or self.index.event.kind}" if self.index else "everybody"
        return f"<Cohort: {' → '.join([entered, *(label for label, _ in self.steps)])}>"
