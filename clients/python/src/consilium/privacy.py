"""Differential privacy, where a project asks for it: what noise would cost before it is spent.

project.draft.summary("age").expected(epsilon=0.5)    # nothing is sent to institutions, nothing spent
project.with_noise(0.5).summary("age").answer()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List

from .rendering import Column, Table, Tabled


@dataclass(frozen=True, repr=False)
class Expected(Tabled):
    """What an answer with noise would cost and how exact it would be, as the node tells it before anything
    is spent."""

    epsilon: float
    told: Dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """One of the things told: `cost`, `error`, …"""
        return self.told[name]

    def lines(self) -> List[str]:
        return [f"with noise of ε {self.epsilon:g}, if it were asked; nothing is spent"]

    def tables(self) -> List[Table]:
        rows = [[name.replace("_", " "), _written(value)] for name, value in self.told.items()]
        return [Table("", [Column("what"), Column("value")], rows)]


def _written(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, (int, float)):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_written(one)}" for name, one in value.items())
    if isinstance(value, list):
        return "; ".join(_written(one) for one in value)
    return str(value)
