"""Survival curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, List, Optional, Tuple

from ..drawing import curves
from ..rendering import Column, Table
from .base import Answer


@dataclass(frozen=True)
class CurveStep:
    """One step of a curve: survival at its time, with the 95 % interval."""

    time: float
    survival: float
    se: float
    at_risk: int
    #: Events since the step before.
    events: int
    interval: Optional[Tuple[float, float]] = None


@dataclass(frozen=True)
class RestrictedMean:
    """Mean survival time up to a horizon."""

    horizon: float
    mean: float
    se: float


@dataclass(frozen=True)
class Curve:
    """Survival of one group."""

    n: int
    events: int
    steps: List[CurveStep]
    #: Events after the last step, too few for one of their own.
    events_untold: int
    median_interval: Tuple[Optional[float], Optional[float]]
    median: Optional[float] = None
    level: Optional[str] = None
    restricted_mean: Optional[RestrictedMean] = None

    def at(self, time: float) -> float:
        """The probability of no event up to a time, by the steps that are told."""
        survival = 1.0
        for step in self.steps:
            if step.time > time:
                break
            survival = step.survival
        return survival


@dataclass(frozen=True)
class LogRank:
    """A log-rank test over groups."""

    observed: List[float]
    expected: List[float]
    statistic: float
    df: int
    p: float


@dataclass(frozen=True, repr=False)
class Survival(Answer):
    """Kaplan–Meier curves and log-rank tests."""

    kind: ClassVar[str] = "survival"

    curves: List[Curve]
    log_rank: Optional[LogRank] = None
    #: Stratified by institution, with the times as they are.
    log_rank_by_site: Optional[LogRank] = None

    def curve(self, level: Optional[str] = None) -> Curve:
        """The curve of a level, or the only one."""
        for one in self.curves:
            if one.level == level:
                return one
        raise KeyError(f"there is no curve of `{level}`")

    def picture(self) -> Optional[str]:
        shown = [(one.level or "all", [(step.time, step.survival) for step in one.steps]) for one in self.curves]
        return curves(shown, str(self._asks("time", "time")))

    def tables(self) -> List[Table]:
        group = str(self._asks("group", "group"))
        has_means = any(one.restricted_mean for one in self.curves)
        head = [Column(group), Column("n", "count"), Column("events", "count"), Column("median", "plain")]
        head += [Column("low 95 %", "plain"), Column("high 95 %", "plain")]
        if has_means:
            head += [Column("restricted mean", "number"), Column("se", "number")]
        rows: List[List[Any]] = []
        for one in self.curves:
            row: List[Any] = [one.level or "all", one.n, one.events, one.median, *one.median_interval]
            if has_means:
                mean = one.restricted_mean
                row += [mean.mean, mean.se] if mean else [None, None]
            rows.append(row)
        notes = []
        for name, test in (("log-rank", self.log_rank), ("log-rank by institution", self.log_rank_by_site)):
            if test:
                p = Column("p", "p").written(test.p)
                notes.append(f"{name}: χ² {test.statistic:.4g} on {test.df}, p {p}")
        return [Table("survival", head, rows, notes)]

    def to_frame(self) -> Any:
        """Every step of every curve as a pandas `DataFrame`."""
        names = ("time", "survival", "se", "low", "high", "at_risk", "events")
        head = [Column(str(self._asks("group", "group"))), *(Column(name) for name in names)]
        rows: List[List[Any]] = []
        for one in self.curves:
            for step in one.steps:
                low, high = step.interval or (None, None)
                level = one.level or "all"
                rows.append([level, step.time, step.survival, step.se, low, high, step.at_risk, step.events])
        return Table("", head, rows).frame()

    def plot(self, ax: Any = None, *, intervals: bool = True) -> Any:
        """Kaplan–Meier curves with their intervals."""
        from .. import plots

        return plots.kaplan_meier(self, ax, intervals=intervals)
