"""Validated predictions, and trees that predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, List, Optional, Tuple

from ..rendering import Column, Table
from .base import Answer
from .decoding import Key


@dataclass(frozen=True)
class CalibrationGroup:
    """Rows of like prediction: between which predictions, how many, how many with the outcome."""

    predictions: Tuple[float, float]
    n: int
    events: int
    mean_prediction: float


@dataclass(frozen=True)
class Threshold:
    """What counting predictions from here on as positive gives."""

    threshold: float
    #: Rows at or above it with the outcome, and without.
    positives: Tuple[int, int]
    sensitivity: float
    specificity: float
    net_benefit: float
    net_benefit_of_all: float


@dataclass(frozen=True, repr=False)
class Validation(Answer):
    """How good a prediction is: discrimination, calibration, net benefit."""

    kind: ClassVar[str] = "validated"

    #: Rows with the outcome, and without.
    outcomes: Tuple[int, int]
    brier: float
    mean_prediction: float
    #: Intercept with the prediction's log odds as offset, and its standard error.
    calibration_in_the_large: Tuple[float, float]
    #: Intercept and slope on the prediction's log odds, each with its standard error.
    calibration: Tuple[Tuple[float, float], Tuple[float, float]]
    groups: List[CalibrationGroup]
    auc: float
    auc_se: float
    auc_interval: Tuple[float, float]
    thresholds: List[Threshold]

    def tables(self) -> List[Table]:
        head = [Column("measure"), Column("value", "number"), Column("se", "number")]
        rows: List[List[Any]] = [
            ["area under the curve", self.auc, self.auc_se],
            ["Brier score", self.brier, None],
            ["mean prediction", self.mean_prediction, None],
            ["part with the outcome", self.outcomes[0] / max(1, sum(self.outcomes)), None],
            ["calibration in the large", *self.calibration_in_the_large],
            ["calibration intercept", *self.calibration[0]],
            ["calibration slope", *self.calibration[1]],
        ]
        low, high = self.auc_interval
        measures = Table("validation", head, rows, [f"area under the curve, 95 %: {low:.4f} to {high:.4f}"])
        head = [Column("threshold", "plain"), Column("sensitivity", "number"), Column("specificity", "number")]
        head += [Column("net benefit", "number"), Column("of treating all", "number")]
        told: List[List[Any]] = [
            [one.threshold, one.sensitivity, one.specificity, one.net_benefit, one.net_benefit_of_all]
            for one in self.thresholds
        ]
        return [measures, *([Table("thresholds", head, told)] if told else [])]

    def plot(self, ax: Any = None, *, what: str = "roc") -> Any:
        """`roc` (by the thresholds that were asked), `calibration` or `benefit`."""
        from .. import plots

        return plots.validation(self, ax, what=what)


@dataclass(frozen=True)
class Split:
    """Where a node splits: rows whose column is `from_` or more go to the second side."""

    column: int
    step: int
    from_: Annotated[float, Key("from")]
    sides: Tuple[int, int]


@dataclass(frozen=True)
class Node:
    """One node of a tree; the root is the first."""

    n: int
    value: float
    split: Optional[Split] = None


@dataclass(frozen=True, repr=False)
class BoostedTrees(Answer):
    """Trees that predict, shrinkage included."""

    kind: ClassVar[str] = "boosted-trees"

    loss: str
    columns: List[str]
    base: float
    trees: List[List[Node]]
    #: The mean loss before each tree.
    training: List[float]

    def splits(self) -> "dict[str, int]":
        """How many splits name each column."""
        found = {name: 0 for name in self.columns}
        for tree in self.trees:
            for node in tree:
                if node.split:
                    found[self.columns[node.split.column]] += 1
        return found

    def tables(self) -> List[Table]:
        head = [Column("column"), Column("splits", "count")]
        counted = sorted(self.splits().items(), key=lambda one: -one[1])
        rows = [[name, count] for name, count in counted]
        notes = [f"{len(self.trees)} trees, {self.loss} loss"]
        if self.training:
            notes.append(
                f"mean loss {self.training[0]:.5g} before the first tree, {self.training[-1]:.5g} before the last"
            )
        return [Table("boosted trees", head, rows, notes)]

    def plot(self, ax: Any = None) -> Any:
        """The mean loss before each tree."""
        from .. import plots

        return plots.training(self, ax)
