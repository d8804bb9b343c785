"""Neural networks, and what programs of one's own found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple

from ..errors import QuestionError
from ..rendering import Column, Table
from .base import Answer


@dataclass(frozen=True)
class Input:
    """A column of a network: from its values `centre` is taken off, and they are divided by `scale`."""

    name: str
    centre: float
    scale: float


@dataclass(frozen=True)
class Layer:
    """One layer: units times units before, and a bias for each unit."""

    weights: List[List[float]]
    biases: List[float]


@dataclass(frozen=True)
class Measures:
    """How good a network is, on rows that were held out of training where `is_held_out`."""

    n: int
    is_held_out: bool
    loss: float
    #: Part of the rows whose likeliest class is theirs.
    accuracy: Optional[float] = None
    brier: Optional[float] = None
    auc: Optional[float] = None
    auc_se: Optional[float] = None
    #: In the outcome's unit.
    rmse: Optional[float] = None
    r2: Optional[float] = None


@dataclass(frozen=True, repr=False)
class Perceptron(Answer):
    """A neural network that predicts: `answer.predict({"age": 70, "arm": "treated"})`."""

    kind: ClassVar[str] = "perceptron"

    #: `linear`, `logistic` or `softmax`.
    output: str
    #: `relu` or `tanh`.
    activation: str
    columns: List[Input]
    layers: List[Layer]
    #: The mean loss on the rows of training before each round, and in the end.
    training: List[float]
    #: After how many rounds of training this network stood.
    round: int
    #: How often an institution's change of a weight was cut to the greatest one.
    clipped: int
    measures: Measures
    #: Columns that have the same value in every row and no effect.
    constant: List[str] = field(default_factory=list)
    #: The levels of a softmax output.
    classes: List[str] = field(default_factory=list)
    #: Mean and standard deviation of a linear outcome.
    outcome: Optional[Tuple[float, float]] = None
    #: The mean loss on the rows that were held out.
    held_out: List[float] = field(default_factory=list)

    def predict(self, row: Mapping[str, Any]) -> Any:
        """What the network gives for a row: a number in the outcome's unit, the probability of yes, or the
        probability of each level. Nothing is sent: it is worked out here."""
        units = [self._input(one, row) for one in self.columns]
        for place, layer in enumerate(self.layers):
            sums = [
                bias + sum(weight * unit for weight, unit in zip(weights, units))
                for weights, bias in zip(layer.weights, layer.biases)
            ]
            units = sums if place == len(self.layers) - 1 else [self._activated(one) for one in sums]
        if self.output == "logistic":
            return _logistic(units[0])
        if self.output == "softmax":
            top = max(units)
            shares = [math.exp(one - top) for one in units]
            return dict(zip(self.classes, (share / sum(shares) for share in shares)))
        mean, spread = self.outcome or (0.0, 1.0)
        return mean + spread * units[0]

    def _input(self, one: Input, row: Mapping[str, Any]) -> float:
        name, level = one.name, None
        if name not in row and name.endswith("]") and "[" in name:
            name, level = name[:-1].rsplit("[", 1)
        if name not in row:
            raise QuestionError(f"the row has no `{name}`")
        value = float(row[name]) if level is None else float(row[name] == level)
        return (value - one.centre) / one.scale

    def _activated(self, value: float) -> float:
        return math.tanh(value) if self.activation == "tanh" else max(0.0, value)

    def tables(self) -> List[Table]:
        names: Dict[str, str] = {"auc": "area under the curve", "rmse": "root mean squared error", "r2": "R²"}
        shown = ("loss", "accuracy", "brier", "auc", "rmse", "r2")
        told = [(names.get(name, name), getattr(self.measures, name)) for name in shown]
        rows: List[List[Any]] = [[name, value] for name, value in told if value is not None]
        sizes = [len(self.columns), *(len(layer.biases) for layer in self.layers)]
        where = "held out of training" if self.measures.is_held_out else "of training: nothing was held out"
        notes = [
            f"{' → '.join(str(one) for one in sizes)} units, {self.activation}, {self.output} output",
            f"measured on {self.measures.n:,} rows {where}; the network after {self.round} rounds",
        ]
        if self.clipped:
            notes.append(f"a change of a weight was cut {self.clipped:,} times: allow a greater `most_change`")
        if self.constant:
            notes.append(f"without effect, as they do not vary: {', '.join(self.constant)}")
        return [Table("neural network", [Column("measure"), Column("value", "number")], rows, notes)]

    def plot(self, ax: Any = None) -> Any:
        """The mean loss before each round, of training and of what was held out."""
        from .. import plots

        return plots.losses(self, ax)


def _logistic(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    return math.exp(value) / (1.0 + math.exp(value))


@dataclass(frozen=True, repr=False)
class ProgramResult(Answer):
    """What a program of one's own made of the sums, in a form of its own."""

    kind: ClassVar[str] = "program"

    #: SHA-256 of the program.
    program: str
    name: str
    version: str

    @property
    def result(self) -> Any:
        """What it found, as it wrote it."""
        return self.finding.get("result")

    def tables(self) -> List[Table]:
        result = self.result
        told = result.items() if isinstance(result, dict) else [("result", result)]
        rows = [[str(name), value if isinstance(value, (int, float, str)) else repr(value)] for name, value in told]
        notes = [f"program {self.program}"]
        return [Table(f"{self.name} {self.version}", [Column("name"), Column("value")], rows, notes)]
