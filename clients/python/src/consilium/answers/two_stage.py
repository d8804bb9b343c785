"""Regressions that each institution fitted by itself, pooled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, List, Optional, Tuple

from ..rendering import Column, Table
from .base import Answer
from .decoding import Key
from .effects import Pooled
from .models import RATIOS, Coefficient


@dataclass(frozen=True)
class PooledEffect:
    """One effect over institutions, with how it differs between them."""

    sites: int
    #: With one effect for all institutions.
    fixed: Pooled
    #: With an effect that varies between them.
    random: Pooled
    estimator: str
    #: The variance between institutions.
    tau2: float
    q: float
    q_df: int
    i2: float
    q_p: Optional[float] = None
    hartung_knapp: Optional[Pooled] = None
    #: Where the effect of a further institution lies in 95 %.
    prediction: Optional[Tuple[float, float]] = None


@dataclass(frozen=True)
class PooledCoefficient:
    """One coefficient, pooled by itself."""

    name: str
    pooled: PooledEffect

    @property
    def estimate(self) -> float:
        """Over institutions whose effects vary."""
        return self.pooled.random.estimate

    @property
    def se(self) -> float:
        """Its standard error."""
        return self.pooled.random.se


@dataclass(frozen=True, repr=False)
class TwoStage(Answer):
    """Each institution fitted the model to its own rows, and the coefficients were pooled."""

    kind: ClassVar[str] = "two-stage"

    #: Institutions that fitted the model.
    fitted: Annotated[int, Key("sites")]
    #: Institutions whose rows do not give every coefficient.
    without: int
    #: Each coefficient by itself.
    coefficients: List[PooledCoefficient]
    #: All coefficients together, one value for all institutions.
    joint: List[Coefficient]
    #: Of `joint`, in its order.
    covariance: List[List[float]]
    q: float
    q_df: int
    #: Probability of a greater Q with the same coefficients everywhere.
    q_p: Optional[float] = None

    def __getitem__(self, name: str) -> PooledCoefficient:
        """The pooled coefficient of this name: `age`, `arm[treated]`."""
        for one in self.coefficients:
            if one.name == name:
                return one
        raise KeyError(
            f"there is no coefficient `{name}`; there are {', '.join(one.name for one in self.coefficients)}"
        )

    @property
    def formula(self) -> Optional[str]:
        """What each institution fitted, as it was sent."""
        regression = self._asks("regression")
        return str(regression["formula"]) if isinstance(regression, dict) and "formula" in regression else None

    @property
    def ratio(self) -> Optional[str]:
        """What the exponential of a coefficient is: an odds, rate or hazard ratio; none of a linear model."""
        return RATIOS.get(self.formula.split("(", 1)[0].strip()) if self.formula else None

    def lines(self) -> List[str]:
        lines = super().lines()
        if self.formula:
            lines.insert(0, self.formula)
        if self.without:
            lines.append(f"{self.without} could not fit the model to their rows alone, and are not in it")
        return lines

    def tables(self) -> List[Table]:
        names = ("estimate", "se", "low 95 %", "high 95 %")
        head = [Column("term"), *(Column(name, "number") for name in names), Column("p", "p")]
        head += [Column(self.ratio, "number")] if self.ratio else []
        head += [Column("τ²", "number"), Column("I²", "share")]
        rows: List[List[Any]] = []
        for one in self.coefficients:
            effect = one.pooled.random
            ratio = [math.exp(min(effect.estimate, 700.0))] if self.ratio else []
            rows.append(
                [one.name, effect.estimate, effect.se, *effect.interval, effect.p, *ratio]
                + [one.pooled.tau2, one.pooled.i2]
            )
        estimator = self.coefficients[0].pooled.estimator if self.coefficients else ""
        notes = [f"effects that vary between {self.fitted} institutions ({estimator})"]
        p = "" if self.q_p is None else f", p {Column('p', 'p').written(self.q_p)}"
        head_joint = [Column("term"), Column("estimate", "number"), Column("se", "number"), Column("p", "p")]
        joint = [[one.name, one.estimate, one.se, one.p] for one in self.joint]
        return [
            Table("pooled coefficients", head, rows, notes),
            Table("one value for all institutions", head_joint, joint, [f"Q {self.q:.4g} on {self.q_df}{p}"]),
        ]

    def plot(self, ax: Any = None, *, exponentiate: Optional[bool] = None) -> Any:
        """A forest plot of the pooled coefficients, the intercept left out."""
        from .. import plots

        return plots.pooled(self, ax, exponentiate=exponentiate)
