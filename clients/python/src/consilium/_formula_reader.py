"""Reading the two sides of a formula."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

from ._formula_tokens import Tokens
from .dictionary import Dictionary

#: Most factors of one product, and most terms once products are written out, as nodes have them.
MOST_FACTORS = 4
MOST_TERMS = 256

_PLAIN = re.compile(r"(?:[^\W\d]|[_.])[\w.]*\Z")
_SAME = {"log": "log", "log1p": "log1p", "sqrt": "sqrt"}
_FUNCTIONS = {**_SAME, **{f"{module}.{name}": name for module in ("np", "numpy", "math") for name in _SAME}}
_CATEGORIES = ("C", "factor", "as.factor")
_INSTEAD = {
    "poly": "write powers: `x + I(x^2)`",
    "bs": "splines cannot be asked; write powers: `x + I(x^2) + I(x^3)`",
    "ns": "splines cannot be asked; write powers: `x + I(x^2) + I(x^3)`",
    "cr": "splines cannot be asked; write powers: `x + I(x^2) + I(x^3)`",
    "s": "smooth terms cannot be asked; write powers: `x + I(x^2)`",
    "scale": "leave it out: institutions standardise by themselves, estimates are per unit of the variable",
    "center": "leave it out: institutions centre by themselves",
    "standardize": "leave it out: institutions standardise by themselves",
    "cut": "groups of a number are made in the data set, not in a formula",
    "relevel": "the reference is the first level of the data set's dictionary",
    "exp": "there are `log`, `log1p`, `sqrt` and powers from 2 to 6",
    "log2": "use `log(x)`, and divide the estimate by log 2",
    "log10": "use `log(x)`, and divide the estimate by log 10",
    "cluster": "standard errors by cluster cannot be asked; `mixed` takes groups",
    "frailty": "frailties cannot be asked; use `strata(x)`",
}

Term = Tuple[str, ...]
#: The term of the intercept.
ONE: Term = ()


@dataclass
class Left:
    """The outcome: factors as they are sent, and the variables in them."""

    factors: List[str]
    variables: List[str]


@dataclass
class Right:
    """What explains it."""

    terms: List[Term] = field(default_factory=list)
    intercept: bool = True
    offset: Optional[str] = None
    strata: Optional[str] = None
    variables: List[str] = field(default_factory=list)
    named: Dict[str, str] = field(default_factory=dict)

    def names_of(self, factor: str) -> Optional[str]:
        """The variable of a factor that is a variable as it is."""
        name = self.named.get(factor)
        return name if name is not None and written(name) == factor else None


def written(name: str) -> str:
    """A name as formulas write it: between backticks where it is no plain word."""
    return name if _PLAIN.match(name) else f"`{name}`"


class Reader(Tokens):
    """Reads a formula from its tokens."""

    def __init__(self, text: str, dictionary: Optional[Dictionary]) -> None:
        super().__init__(text)
        self.dictionary = dictionary
        self.found = Right()
        self.exclude: List[str] = []
        self.is_cox = False

    # The left side.

    def left(self, family: str, families: Mapping[str, Tuple[int, int]]) -> Left:
        """The outcome: plain (`died`), in the family's word (`logistic(died)`), or `Surv(…)`."""
        kind, text = self.peek()
        is_call = kind == "name" and self.peek(1) == ("sign", "(")
        words = ("Surv", "cox", "coxph") if family == "cox" else (family,)
        left = Left([], [])
        if is_call and text in families and text != family:
            raise self.fault(f"this is a `{text}` formula; ask it by `.{text}(…)`")
        if is_call and text in words:
            self.at += 2
            self._outcomes(left, family)
            self.need(")", "write `)` after the outcome")
        else:
            self._outcomes(left, family)
        least, most = families[family]
        if not least <= len(left.factors) <= most:
            form = "`Surv(time, event)` or `Surv(start, stop, event)`" if family == "cox" else "one outcome"
            raise self.fault(f"write {form} before `~`", 0)
        self.need("~", "write `~` between the outcome and its variables")
        return left

    def _outcomes(self, left: Left, family: str) -> None:
        while True:
            place = self.place()
            factor, name = self._factor()
            if factor != written(name) and family != "linear":
                raise self.fault("the outcome is taken as it is", place)
            left.factors.append(factor)
            left.variables.append(name)
            if not self.has(","):
                return

    # The right side.

    def right(self, exclude: List[str], is_cox: bool) -> Right:
        """What stands after `~`, with products written out."""
        self.exclude, self.is_cox = exclude, is_cox
        terms = self._sum([ONE])
        if self.peek()[0] != "end":
            kind, text = self.peek()
            if text == "|":
                raise self.fault("groups with an effect of their own are asked by `.mixed(…, group=…)`")
            raise self.fault("write `+`, `*` or `:` between variables")
        self.found.intercept = ONE in terms
        if is_cox and not self.found.intercept:
            raise self.fault("Cox's model has no intercept to leave out")
        self.found.terms = [term for term in terms if term != ONE]
        used = [self.found.named[factor] for term in self.found.terms for factor in term]
        self.found.variables = used + self.found.variables
        if len(self.found.terms) > MOST_TERMS:
            raise self.fault(f"there are more than {MOST_TERMS} terms", 0)
        return self.found

    def _sum(self, terms: List[Term]) -> List[Term]:
        out = list(terms)
        sign = self.has("+", "-") or "+"
        while True:
            if self.peek() == ("number", "0"):
                # `+ 0` is `- 1`.
                self.take()
                out = [term for term in out if term != ONE] if sign == "+" else _union(out, [ONE])
            else:
                part = self._product()
                gone = {frozenset(term) for term in part}
                out = _union(out, part) if sign == "+" else [one for one in out if frozenset(one) not in gone]
            found = self.has("+", "-")
            if not found:
                return out
            sign = found

    def _product(self) -> List[Term]:
        out = self._interaction()
        while True:
            place = self.place()
            sign = self.has("*", "/")
            if not sign:
                return out
            other = self._interaction()
            if sign == "*":
                out = _union(_union(out, other), self._cross(out, other, place))
            else:
                every: Term = tuple(dict.fromkeys(factor for term in out for factor in term))
                out = _union(out, self._cross([every], other, place))

    def _interaction(self) -> List[Term]:
        out = self._power()
        while True:
            place = self.place()
            if not self.has(":", "%in%"):
                return out
            out = self._cross(out, self._power(), place)

    def _power(self) -> List[Term]:
        out = self._atom()
        place = self.place()
        if not self.has("^", "**"):
            return out
        kind, digits = self.take()
        if kind != "number" or not digits.isdigit() or not 1 <= int(digits) <= MOST_FACTORS:
            raise self.fault(f"a power of terms goes from 1 to {MOST_FACTORS}; of a number write `I(x^2)`", place)
        base = out
        for _ in range(int(digits) - 1):
            out = _union(out, self._cross(out, base, place))
        return out

    def _cross(self, one: List[Term], other: List[Term], place: int) -> List[Term]:
        out: List[Term] = []
        for left in one:
            for right in other:
                term: Term = tuple(dict.fromkeys([*left, *right]))
                if len(term) > MOST_FACTORS:
                    raise self.fault(f"a product has at most {MOST_FACTORS} factors", place)
                out = _union(out, [term])
        return out

    def _atom(self) -> List[Term]:
        place = self.place()
        kind, text = self.peek()
        if kind == "number":
            self.take()
            if text != "1":
                raise self.fault("of numbers only `1` and `0` can stand here", place)
            return [ONE]
        if self.has("("):
            terms = self._sum([])
            if self.peek() == ("sign", "|"):
                raise self.fault("groups with an effect of their own are asked by `.mixed(…, group=…)`")
            self.need(")", "write `)`")
            return terms
        if self.has("."):
            return self._others(place)
        if kind == "name" and text in ("offset", "strata") and self.peek(1) == ("sign", "("):
            self._special(text, place)
            return []
        factor, name = self._factor()
        return [self._told(factor, name)]

    def _told(self, factor: str, name: str) -> Term:
        self.found.named.setdefault(factor, name)
        return (factor,)

    def _others(self, place: int) -> List[Term]:
        if self.dictionary is None:
            raise self.fault("`.` needs the dictionary of the data set", place)
        names = [one.name for one in self.dictionary if one.name not in self.exclude]
        return [self._told(written(name), name) for name in names]

    def _special(self, word: str, place: int) -> None:
        self.at += 2
        if word == "strata" and not self.is_cox:
            raise self.fault("strata belong to `cox`", place)
        before = self.found.offset if word == "offset" else self.found.strata
        if before is not None:
            raise self.fault(f"there can be one `{word}`", place)
        is_site = word == "strata" and self.peek() == ("name", "site") and self.peek(1) == ("sign", ")")
        if is_site and (self.dictionary is None or "site" not in self.dictionary):
            # Cox's model is stratified by site in any case.
            self.at += 2
            return
        factor, name = self._factor()
        self.need(")", "write `)`")
        self.found.variables.append(name)
        if word == "offset":
            self.found.offset = factor
        elif factor != written(name):
            raise self.fault("strata are a variable as it is", place)
        else:
            self.found.strata = factor

    # A variable, as it is or transformed.

    def _factor(self) -> Tuple[str, str]:
        place = self.place()
        kind, text = self.peek()
        if kind == "quoted":
            self.take()
            return self._known(text[1:-1], place)
        if kind != "name":
            raise self.fault("the name of a variable is missing", place)
        self.take()
        if not self.has("("):
            return self._known(text, place)
        if text in _FUNCTIONS:
            factor, name = self._argument()
            self._must_be_number(name, place)
            factor = f"{_FUNCTIONS[text]}({factor})"
        elif text == "I":
            factor, name = self._power_of(place)
        elif text in _CATEGORIES:
            factor, name = self._argument()
            self._must_be_category(name, place)
        elif text == "Q":
            kind, quoted = self.take()
            if kind != "string":
                raise self.fault('write the name between quotes: `Q("a name")`', place)
            factor, name = self._known(quoted[1:-1], place)
        else:
            instead = _INSTEAD.get(
                text.split(".")[-1], "there are `log(x)`, `log1p(x)`, `sqrt(x)`, `I(x^2)`, `offset(x)` and `strata(x)`"
            )
            raise self.fault(f"there is no function `{text}`; {instead}", place)
        if self.peek() == ("sign", ","):
            raise self.fault(
                "further arguments are not known; the reference of a category is the first level of the dictionary"
            )
        self.need(")", "write `)`")
        return factor, name

    def _argument(self) -> Tuple[str, str]:
        place = self.place()
        factor, name = self._factor()
        if factor != written(name):
            raise self.fault("one function at a time", place)
        return factor, name

    def _power_of(self, place: int) -> Tuple[str, str]:
        factor, name = self._argument()
        if not self.has("^", "**"):
            raise self.fault("of arithmetic only powers can be asked, as in `I(x^2)`")
        self._must_be_number(name, place)
        digit = self.place()
        kind, text = self.take()
        if kind != "number" or text not in ("2", "3", "4", "5", "6"):
            raise self.fault("a power goes from 2 to 6", digit)
        return f"I({factor}^{text})", name

    def _known(self, name: str, place: int) -> Tuple[str, str]:
        if "`" in name or not name:
            raise self.fault("a name cannot be empty or hold a backtick", place)
        if self.dictionary is not None and name not in self.dictionary:
            raise self.fault(self.dictionary.unknown(name), place)
        return written(name), name

    def _must_be_number(self, name: str, place: int) -> None:
        if self.dictionary is not None and self.dictionary[name].is_category:
            raise self.fault(f"`{name}` is a category, which cannot be transformed", place)

    def _must_be_category(self, name: str, place: int) -> None:
        if self.dictionary is not None and not self.dictionary[name].is_category:
            raise self.fault(f"`{name}` is a number in the data set; only its dictionary makes it a category", place)


def _union(one: List[Term], other: List[Term]) -> List[Term]:
    out = list(one)
    known = {frozenset(term) for term in one}
    for term in other:
        if frozenset(term) not in known:
            known.add(frozenset(term))
            out.append(term)
    return out
