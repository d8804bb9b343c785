"""Fitted models: regressions and linear mixed models."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, List, Optional, Tuple

from ..errors import QuestionError
from ..laws import normal_quantile, t_quantile
from ..rendering import Column, Table
from .base import Answer

#: What the exponential of a coefficient is called, by family.
RATIOS = {"logistic": "odds ratio", "poisson": "rate ratio", "negbin": "rate ratio", "cox": "hazard ratio"}


@dataclass(frozen=True)
class Coefficient:
    """One coefficient, on the scale of the linear predictor. Penalised estimates have no `se` and `p`."""

    name: str
    estimate: float
    se: Optional[float] = None
    p: Optional[float] = None


class _Fitted(Answer):
    coefficients: List[Coefficient]

    def __getitem__(self, name: str) -> Coefficient:
        """The coefficient of this name: `Intercept`, `age`, `arm[treated]`."""
        for one in self.coefficients:
            if one.name == name:
                return one
        names = ", ".join(f"`{one.name}`" for one in self.coefficients)
        raise KeyError(f"there is no coefficient `{name}`; there are {names}")

    def _quantile(self, level: float) -> float:
        return normal_quantile(0.5 + level / 2)

    def interval(self, name: str, level: float = 0.95) -> Optional[Tuple[float, float]]:
        """The confidence interval of a coefficient; none of a penalised one."""
        if not 0 < level < 1:
            raise QuestionError("a level lies between 0 and 1")
        one = self[name]
        if one.se is None:
            return None
        reach = self._quantile(level) * one.se
        return one.estimate - reach, one.estimate + reach

    @property
    def ratio(self) -> Optional[str]:
        """What the exponential of a coefficient is: an odds, rate or hazard ratio; none of a linear model."""
        return None

    def _table(self, title: str, notes: List[str]) -> Table:
        ratio = self.ratio
        columns = [Column("term"), Column("estimate", "number")]
        if not any(one.se is not None for one in self.coefficients):
            columns += [Column(ratio, "number")] if ratio else []
            told = [[one.name, one.estimate, *([_exp(one.estimate)] if ratio else [])] for one in self.coefficients]
            return Table(title, columns, told, [*notes, "penalised: there are no standard errors"])
        columns += [
            Column("se", "number"),
            Column("low 95 %", "number"),
            Column("high 95 %", "number"),
            Column("p", "p"),
        ]
        if ratio:
            columns += [Column(ratio, "number"), Column("low", "number"), Column("high", "number")]
        rows = []
        for one in self.coefficients:
            low, high = self.interval(one.name) or (None, None)
            row: List[Any] = [one.name, one.estimate, one.se, low, high, one.p]
            if ratio:
                row += [_exp(one.estimate), _exp(low), _exp(high)]
            rows.append(row)
        return Table(title, columns, rows, notes)

    def plot(self, ax: Any = None, *, exponentiate: Optional[bool] = None) -> Any:
        """A forest plot of the coefficients, the intercept left out; of ratios on a logarithmic scale
        where the family has them."""
        from .. import plots

        return plots.forest(self, ax, exponentiate=exponentiate)


@dataclass(frozen=True, repr=False)
class Model(_Fitted):
    """A fitted regression."""

    kind: ClassVar[str] = "model"

    #: The intercept first, then in the order of the formula.
    coefficients: List[Coefficient]
    #: Rows less estimated coefficients.
    residual_df: int
    #: Columns that were left out because others determine them, or because they do not vary.
    aliased: List[str] = field(default_factory=list)
    #: Events, where the outcome is one.
    events: Optional[int] = None
    #: Of the estimates, in the order of `coefficients`; empty for penalised ones.
    covariance: List[List[float]] = field(default_factory=list)
    #: Natural logarithm of the (partial) likelihood.
    log_likelihood: Optional[float] = None
    #: Residual variance of a linear model, α of a negative-binomial one.
    dispersion: Optional[float] = None

    @property
    def formula(self) -> Optional[str]:
        """The formula as it was sent."""
        asked = self._asks("formula")
        return None if asked is None else str(asked)

    @property
    def family(self) -> Optional[str]:
        """`linear`, `logistic`, `poisson`, `negbin` or `cox`."""
        return self.formula.split("(", 1)[0].strip() if self.formula else None

    @property
    def ratio(self) -> Optional[str]:
        return RATIOS.get(self.family or "")

    @property
    def aic(self) -> Optional[float]:
        """Akaike's criterion: twice the number of parameters less twice the log-likelihood."""
        if self.log_likelihood is None:
            return None
        extra = 1 if self.dispersion is not None else 0
        return 2 * (len(self.coefficients) + extra) - 2 * self.log_likelihood

    def _quantile(self, level: float) -> float:
        if self.family == "linear" and self.residual_df > 0:
            return t_quantile(0.5 + level / 2, self.residual_df)
        return super()._quantile(level)

    def contrast(self, weights: Dict[str, float], level: float = 0.95) -> Tuple[float, float, float]:
        """A sum of coefficients times weights, with the ends of its interval: of `age + age:arm[treated]`
        for example. For estimates that are not penalised."""
        names = [one.name for one in self.coefficients]
        vector = [0.0] * len(names)
        for name, weight in weights.items():
            self[name]
            vector[names.index(name)] = weight
        if not self.covariance:
            raise QuestionError("penalised estimates have no covariance")
        value = sum(weight * one.estimate for weight, one in zip(vector, self.coefficients))
        variance = sum(
            one * other * cell for one, row in zip(vector, self.covariance) for other, cell in zip(vector, row)
        )
        reach = self._quantile(level) * math.sqrt(max(variance, 0.0))
        return value, value - reach, value + reach

    def lines(self) -> List[str]:
        lines = super().lines()
        if self.formula:
            lines.insert(0, self.formula)
        if self.events is not None:
            lines.append(f"{self.events:,} events")
        if self.aliased:
            lines.append(f"left out, as other columns determine them: {', '.join(self.aliased)}")
        return lines

    def tables(self) -> List[Table]:
        notes = []
        if self.log_likelihood is not None and self.aic is not None:
            notes.append(f"log-likelihood {self.log_likelihood:.4f}, AIC {self.aic:.2f}")
        if self.dispersion is not None:
            what = "α" if self.family == "negbin" else "residual variance"
            notes.append(f"{what} {self.dispersion:.5g}, {self.residual_df:,} residual degrees of freedom")
        if self.family == "cox":
            notes.append("stratified by institution")
        return [self._table("coefficients", notes)]


@dataclass(frozen=True, repr=False)
class MixedModel(_Fitted):
    """A linear mixed model with a random intercept."""

    kind: ClassVar[str] = "mixed"

    #: The fixed effects, the intercept first.
    coefficients: List[Coefficient]
    #: The variance between groups.
    between: float
    #: The variance within groups.
    within: float
    #: Between over both together.
    intraclass_correlation: float
    #: Groups with rows.
    groups: int
    #: Rows less fixed effects.
    residual_df: int
    #: Whether the likelihood is the restricted one.
    restricted: bool
    log_likelihood: float

    def tables(self) -> List[Table]:
        notes = [
            f"variance between {self.groups:,} groups {self.between:.5g}, within {self.within:.5g}, "
            f"intraclass correlation {self.intraclass_correlation:.4f}",
            f"{'REML' if self.restricted else 'ML'} log-likelihood {self.log_likelihood:.4f}",
        ]
        return [self._table("fixed effects", notes)]


def _exp(value: Optional[float]) -> Optional[float]:
    if value is None:
        return None
    return math.exp(value) if value < 700 else math.inf
