"""Principal components and clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, List

from ..rendering import Column, Table
from .base import Answer


@dataclass(frozen=True)
class Component:
    """One component: its variance, its share of all variance, and its loadings."""

    variance: float
    share: float
    loadings: List[float]


@dataclass(frozen=True, repr=False)
class Components(Answer):
    """Principal components, the one that explains most first."""

    kind: ClassVar[str] = "components"

    variables: List[str]
    means: List[float]
    deviations: List[float]
    components: List[Component]

    def tables(self) -> List[Table]:
        numbered = list(enumerate(self.components, 1))
        head = [Column("component"), Column("variance", "number"), Column("share", "share")]
        shares = [[f"PC{at}", one.variance, one.share] for at, one in numbered]
        loadings_head = [Column("variable"), *(Column(f"PC{at}", "number") for at, _ in numbered)]
        rows: List[List[Any]] = [
            [name, *(one.loadings[place] for _, one in numbered)] for place, name in enumerate(self.variables)
        ]
        return [Table("components", head, shares), Table("loadings", loadings_head, rows)]

    def plot(self, ax: Any = None) -> Any:
        """Shares of variance."""
        from .. import plots

        return plots.shares(self, ax)


@dataclass(frozen=True)
class Cluster:
    """One cluster: rows, means of the variables, sum of squared scaled distances."""

    n: int
    centre: List[float]
    within: float


@dataclass(frozen=True, repr=False)
class Clusters(Answer):
    """Clusters, the largest first."""

    kind: ClassVar[str] = "clusters"

    variables: List[str]
    #: By how much each variable is divided before distances are taken.
    scales: List[float]
    clusters: List[Cluster]
    within: float
    total: float
    #: Whether the centres stood still in the end.
    is_settled: bool

    def tables(self) -> List[Table]:
        head = [Column("cluster"), Column("n", "count"), *(Column(name, "number") for name in self.variables)]
        rows: List[List[Any]] = [[str(at), one.n, *one.centre] for at, one in enumerate(self.clusters, 1)]
        explained = 1 - self.within / self.total if self.total else 0.0
        notes = [f"{100 * explained:.1f} % of squared distances lie between clusters"]
        if not self.is_settled:
            notes.append("the centres had not come to rest; allow more rounds")
        return [Table("clusters", head, rows, notes)]
