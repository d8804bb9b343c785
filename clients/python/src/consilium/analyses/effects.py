"""Survival curves, effects of a group, and the validation of predictions."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from .. import answers, formula
from ..dictionary import Dictionary
from ..errors import QuestionError
from .draft import Draft, once, one_of, some

EFFECTS = ("mean-difference", "log-odds-ratio", "log-risk-ratio", "risk-difference")
ESTIMATORS = ("dersimonian-laird", "paule-mandel", "reml")


def survival(
    dictionary: Dictionary,
    outcome: str,
    by: Optional[str],
    grid: Optional[Sequence[float]],
    width: Optional[float],
    least: int,
    horizon: Optional[float],
) -> Draft[answers.Survival]:
    """Kaplan–Meier curves on a grid and log-rank tests. `outcome` is `"time, event"`, or a formula
    with the group: `Surv(time, event) ~ arm`."""
    right = outcome if "~" in outcome else f"{outcome} ~ {'1' if by is None else formula.written(by)}"
    read = formula.read(right, "cox", dictionary)
    if len(read.outcome) != 2:
        raise QuestionError("a curve is of `time, event`; entries after time 0 cannot be asked")
    if read.plain is None or len(read.plain) > 1:
        raise QuestionError("curves are drawn for the levels of one category")
    time, event = read.variables[0], read.variables[1]
    analysis: Dict[str, Any] = {"kind": "survival", "time": time, "event": event}
    if read.plain:
        dictionary.categories(read.plain)
        analysis["group"] = read.plain[0]
    known = dictionary[time]
    if grid is not None:
        if width is not None:
            raise QuestionError("name `grid` or `width`, not both")
        if not grid or grid[0] <= 0 or any(not low < high for low, high in zip(grid, grid[1:])):
            raise QuestionError("the points of the grid are greater than 0, and rise")
        analysis["grid"] = [float(point) for point in grid]
    else:
        if known.max is None:
            raise QuestionError(f"the dictionary states no greatest `{time}`; name the `grid`")
        analysis["width"] = float(width) if width is not None else known.max / 100
    analysis["least"] = least
    if horizon is not None:
        analysis["horizon"] = float(horizon)
    return Draft(analysis, once(read.variables), answers.Survival, 1)


def meta_analysis(
    dictionary: Dictionary, outcome: str, by: Optional[str], effect: str, estimator: str
) -> Draft[answers.MetaAnalysis]:
    """Each institution estimates the effect of a group, and the estimates are pooled."""
    one_of("effect", effect, EFFECTS)
    one_of("estimator", estimator, ESTIMATORS)
    if by is None:
        family = "linear" if effect == "mean-difference" else "logistic"
        read = formula.read(outcome, family, dictionary)
        if read.plain is None or len(read.plain) != 1:
            raise QuestionError("a meta-analysis is of one outcome by one group: `died ~ arm`")
        outcome, by = read.variables[0], read.plain[0]
    if effect == "mean-difference":
        dictionary.numbers([outcome])
    else:
        dictionary.binary(outcome)
    dictionary.binary(by)
    analysis = {"kind": "meta-analysis", "effect": effect, "outcome": outcome, "group": by, "estimator": estimator}
    return Draft(analysis, (outcome, by), answers.MetaAnalysis, 5)


def weighting(
    dictionary: Dictionary,
    treatment: str,
    outcome: str,
    covariates: Sequence[str],
    estimand: str,
    stabilised: bool,
    trim: Optional[float],
) -> Draft[answers.WeightedEffect]:
    """The effect of a treatment by inverse-probability weighting."""
    names = some(covariates)
    dictionary.binary(treatment)
    if dictionary[outcome].is_category:
        dictionary.binary(outcome)
    one_of("estimand", estimand, ("ate", "att"))
    if stabilised and estimand != "ate":
        raise QuestionError("stabilised weights are for `ate` only")
    if trim is not None and not 0 < trim < 0.5:
        raise QuestionError("`trim` lies between 0 and 0.5")
    for name in names:
        dictionary[name]
    analysis: Dict[str, Any] = {
        "kind": "weighting",
        "treatment": treatment,
        "outcome": outcome,
        "covariates": names,
        "estimand": estimand,
        "stabilised": stabilised,
    }
    if trim is not None:
        analysis["trim"] = float(trim)
    return Draft(analysis, once([treatment, outcome, *names]), answers.WeightedEffect, 9)


def validation(
    dictionary: Dictionary, outcome: str, prediction: str, thresholds: Sequence[float], groups: int, grid: int
) -> Draft[answers.Validation]:
    """Discrimination, calibration and net benefit of a prediction that the rows hold."""
    dictionary.binary(outcome)
    dictionary.numbers([prediction])
    if any(not 0 < threshold < 1 for threshold in thresholds):
        raise QuestionError("thresholds lie between 0 and 1")
    analysis = {
        "kind": "validation",
        "outcome": outcome,
        "prediction": prediction,
        "groups": groups,
        "grid": grid,
        "thresholds": [float(threshold) for threshold in thresholds],
    }
    return Draft(analysis, once([outcome, prediction]), answers.Validation, 8)
