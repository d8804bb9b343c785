"""Answers as objects: one class for each kind of finding."""

from __future__ import annotations

from typing import Any, Dict, Type

from ..errors import Refusal
from .base import Answer, Other
from .comparisons import Anova, ChiSquared, Correlations, GroupMean, MeanTest, Pair, RankSum, TTest
from .effects import Arm, Balance, MetaAnalysis, Pooled, WeightedEffect
from .models import Coefficient, MixedModel, Model
from .networks import Input, Layer, Measures, Perceptron, ProgramResult
from .predictions import BoostedTrees, CalibrationGroup, Node, Split, Threshold, Validation
from .structure import Cluster, Clusters, Component, Components
from .survival import Curve, CurveStep, LogRank, RestrictedMean, Survival
from .tables import Counts, Crosstab, Histogram, Quantile, Quantiles, Summary, VariableSummary
from .two_stage import PooledCoefficient, PooledEffect, TwoStage

__all__ = [
    "Anova",
    "Answer",
    "Arm",
    "Balance",
    "BoostedTrees",
    "CalibrationGroup",
    "ChiSquared",
    "Cluster",
    "Clusters",
    "Coefficient",
    "Component",
    "Components",
    "Correlations",
    "Counts",
    "Crosstab",
    "Curve",
    "CurveStep",
    "GroupMean",
    "Histogram",
    "Input",
    "KINDS",
    "Layer",
    "LogRank",
    "MeanTest",
    "Measures",
    "MetaAnalysis",
    "MixedModel",
    "Model",
    "Node",
    "Other",
    "Pair",
    "Perceptron",
    "Pooled",
    "PooledCoefficient",
    "PooledEffect",
    "ProgramResult",
    "Quantile",
    "Quantiles",
    "RankSum",
    "RestrictedMean",
    "Split",
    "Summary",
    "Survival",
    "TTest",
    "Threshold",
    "TwoStage",
    "Validation",
    "VariableSummary",
    "WeightedEffect",
    "read",
]

#: Every kind of answer by the node's word for its finding.
KINDS: Dict[str, Type[Answer]] = {
    one.kind: one
    for one in (
        Anova,
        BoostedTrees,
        ChiSquared,
        Clusters,
        Components,
        Correlations,
        Crosstab,
        Histogram,
        MetaAnalysis,
        MixedModel,
        Model,
        Perceptron,
        ProgramResult,
        Quantiles,
        RankSum,
        Summary,
        Survival,
        TTest,
        TwoStage,
        Validation,
        WeightedEffect,
    )
}


def read(answer: Dict[str, Any], *, asked: Dict[str, Any], missing: Dict[str, Refusal]) -> Answer:
    """An answer of whatever kind from the node's JSON."""
    finding = answer.get("finding")
    kind = finding.get("kind", "") if isinstance(finding, dict) else ""
    return KINDS.get(str(kind), Other).read(answer, asked=asked, missing=missing)
