"""Formulas as R and patsy write them, brought to the form that nodes read.

`died ~ age * arm`, `(a + b)^2`, `a / b`, `np.log(x)`, `C(arm)`, `I(x**2)`, `Q("a name")`, `. - ward`
and `Surv(time, event) ~ age + strata(ward)` all go; what cannot be asked of institutions (a spline, a
vector of one's own) is refused with the place and what to write instead. Products are written out by
the rules of Wilkinson and Rogers (Applied Statistics 22, 1973).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

from ._formula_reader import Reader, Right, written
from .dictionary import Dictionary
from .errors import FormulaError

__all__ = ["Formula", "read", "two_sides", "written"]

#: Families, and how many outcomes each has; `any` is of analyses that have no formula of their own.
FAMILIES = {"any": (1, 1), "linear": (1, 1), "logistic": (1, 1), "poisson": (1, 1), "negbin": (1, 1), "cox": (2, 3)}


@dataclass(frozen=True)
class Formula:
    """A formula that was read. `str` gives what is sent."""

    family: str
    outcome: Tuple[str, ...]
    terms: Tuple[Tuple[str, ...], ...]
    intercept: bool
    offset: Optional[str]
    strata: Optional[str]
    #: The variables in it, each once.
    variables: Tuple[str, ...]
    #: The variables of the right side alone, where each is a term of its own and as it is.
    plain: Optional[Tuple[str, ...]]

    def __str__(self) -> str:
        parts = [":".join(term) for term in self.terms]
        if not self.intercept:
            parts.insert(0, "0")
        elif not parts:
            parts.append("1")
        if self.offset:
            parts.append(f"offset({self.offset})")
        if self.strata:
            parts.append(f"strata({self.strata})")
        return f"{self.family}({', '.join(self.outcome)}) ~ {' + '.join(parts)}"


def read(text: str, family: str, dictionary: Optional[Dictionary] = None, *, outcome: str = "") -> Formula:
    """Reads a formula of a family. With `outcome`, `text` is the right side alone.

    Raises `FormulaError` with the place of what is wrong; with a dictionary, unknown variables are
    found here.
    """
    whole = f"{outcome} ~ {text}" if outcome and "~" not in text else text
    reader = Reader(whole, dictionary)
    left = reader.left(family, FAMILIES)
    right = reader.right(exclude=left.variables, is_cox=family == "cox")
    _check_outcome(family, left.variables, dictionary, whole)
    terms = sorted(right.terms, key=len)
    return Formula(
        family=family,
        outcome=tuple(left.factors),
        terms=tuple(terms),
        intercept=right.intercept,
        offset=right.offset,
        strata=right.strata,
        variables=_once([*left.variables, *right.variables]),
        plain=_plain(right),
    )


def two_sides(text: str, dictionary: Optional[Dictionary], what: str) -> Tuple[str, Tuple[str, ...]]:
    """A formula of one outcome and plain variables, for analyses that take no products: `age ~ arm`."""
    formula = read(text, "linear", dictionary)
    outcome = formula.variables[0]
    if formula.plain is None or not formula.intercept or formula.outcome[0].strip("`") != outcome:
        raise FormulaError(f"{what} takes variables as they are, joined by `+`", text, text.find("~") + 1)
    return outcome, formula.plain


def _plain(right: Right) -> Optional[Tuple[str, ...]]:
    is_plain = right.offset is None and right.strata is None
    names = tuple(right.names_of(term[0]) for term in right.terms if len(term) == 1)
    if not is_plain or len(names) != len(right.terms) or any(name is None for name in names):
        return None
    return tuple(name for name in names if name is not None)


def _check_outcome(family: str, names: List[str], dictionary: Optional[Dictionary], text: str) -> None:
    if dictionary is None:
        return
    last = dictionary[names[-1]]
    if family in ("logistic", "cox"):
        if last.is_category and len(last.levels) != 2:
            raise FormulaError(
                f"`{last.name}` has {len(last.levels)} levels; an event is a number 0 or 1, or one of two levels",
                text,
                text.find(last.name),
            )
    elif last.is_category and family != "any":
        hint = "; `logistic` takes a category of two levels" if len(last.levels) == 2 else ""
        raise FormulaError(f"`{last.name}` is a category; the outcome is a number{hint}", text, text.find(last.name))
    for name in names[:-1]:
        if dictionary[name].is_category:
            raise FormulaError(f"`{name}` is a category; a time is a number", text, text.find(name))


def _once(names: List[str]) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(names))
