"""Pooled estimates of institutions, and weighted contrasts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, List, Optional, Tuple

from ..rendering import Column, Table
from .base import Answer
from .decoding import Key


@dataclass(frozen=True)
class Pooled:
    """A pooled estimate with its 95 % interval."""

    estimate: float
    se: float
    interval: Tuple[float, float]
    p: float


@dataclass(frozen=True, repr=False)
class MetaAnalysis(Answer):
    """A meta-analysis of what institutions estimate each by itself."""

    kind: ClassVar[str] = "meta-analysis"

    #: Institutions that had an estimate.
    estimates: Annotated[int, Key("sites")]
    fixed: Pooled
    random: Pooled
    estimator: str
    #: The variance between institutions.
    tau2: float
    #: Cochran's Q, its degrees of freedom, and the probability of a greater one.
    q: float
    q_df: int
    i2: float
    q_p: Optional[float] = None
    #: With the variance of Hartung and Knapp.
    hartung_knapp: Optional[Pooled] = None
    #: Where the effect of a further institution lies in 95 %.
    prediction: Optional[Tuple[float, float]] = None

    @property
    def ratio(self) -> Optional[str]:
        """What the exponential of the effect is, where it is a logarithm."""
        return {"log-odds-ratio": "odds ratio", "log-risk-ratio": "risk ratio"}.get(str(self._asks("effect")))

    def pooled(self) -> List[Tuple[str, Pooled]]:
        """The estimates by name."""
        found = [("fixed effect", self.fixed), ("random effects", self.random)]
        return found + ([("Hartung–Knapp", self.hartung_knapp)] if self.hartung_knapp else [])

    def tables(self) -> List[Table]:
        names = ("estimate", "se", "low 95 %", "high 95 %")
        head = [Column("model"), *(Column(name, "number") for name in names), Column("p", "p")]
        if self.ratio:
            head.append(Column(self.ratio, "number"))
        rows: List[List[Any]] = []
        for name, one in self.pooled():
            row: List[Any] = [name, one.estimate, one.se, *one.interval, one.p]
            rows.append(row + ([math.exp(one.estimate)] if self.ratio else []))
        notes = [f"{self.estimates} institutions, τ² {self.tau2:.4g} ({self.estimator}), I² {100 * self.i2:.1f} %"]
        p = "" if self.q_p is None else f", p {Column('p', 'p').written(self.q_p)}"
        notes.append(f"Q {self.q:.4g} on {self.q_df}{p}")
        if self.prediction:
            notes.append(f"a further institution: {self.prediction[0]:.4g} to {self.prediction[1]:.4g}")
        return [Table(str(self._asks("effect", "effect")), head, rows, notes)]

    def plot(self, ax: Any = None) -> Any:
        """The pooled estimates and the interval of prediction."""
        from .. import plots

        return plots.meta(self, ax)


@dataclass(frozen=True)
class Arm:
    """One arm: rows, weighted mean outcome, sum of weights, effective number."""

    n: int
    mean: float
    weights: float
    effective_n: float


@dataclass(frozen=True)
class Balance:
    """Standardised mean differences of one column, without and with weights."""

    name: str
    before: Optional[float] = None
    after: Optional[float] = None


@dataclass(frozen=True, repr=False)
class WeightedEffect(Answer):
    """A contrast by inverse-probability weighting."""

    kind: ClassVar[str] = "weighted-effect"

    estimand: str
    effect: float
    se: float
    interval: Tuple[float, float]
    p: float
    #: The treated and the others.
    arms: Tuple[Arm, Arm]
    #: The log odds of treatment: intercept and covariates.
    propensity: List[Tuple[str, float]]
    balance: List[Balance]
    #: Rows whose propensity was brought to the limit.
    trimmed: int

    def tables(self) -> List[Table]:
        names = ("effect", "se", "low 95 %", "high 95 %")
        head = [Column("estimand"), *(Column(name, "number") for name in names), Column("p", "p")]
        effect = Table("effect", head, [[self.estimand.upper(), self.effect, self.se, *self.interval, self.p]])
        head = [Column("arm"), Column("n", "count"), Column("weighted mean", "number"), Column("effective n", "number")]
        arms = Table(
            "arms",
            head,
            [[name, one.n, one.mean, one.effective_n] for name, one in zip(("treated", "others"), self.arms)],
            [f"{self.trimmed:,} propensities brought to the limit"] if self.trimmed else [],
        )
        head = [Column("column"), Column("before", "number"), Column("after", "number")]
        balance = Table("standardised differences", head, [[one.name, one.before, one.after] for one in self.balance])
        return [effect, arms, balance]

    def plot(self, ax: Any = None) -> Any:
        """Standardised differences before and after weighting."""
        from .. import plots

        return plots.balance(self, ax)
