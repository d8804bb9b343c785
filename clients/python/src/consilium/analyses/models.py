"""Regressions, mixed models and boosted trees."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from .. import answers, formula
from ..dictionary import Dictionary
from ..errors import QuestionError
from .draft import Draft, once, one_of

#: Rounds that a regression takes as a rule.
ROUNDS_OF_REGRESSION = 6


def regression(
    family: str,
    text: str,
    dictionary: Dictionary,
    *,
    outcome: str = "",
    weights: Optional[str] = None,
    ties: str = "efron",
    penalty: Optional[float] = None,
    mix: float = 0.0,
) -> Draft[answers.Model]:
    """A regression of a family: `linear`, `logistic`, `poisson`, `negbin` or `cox`.

    `penalty` is the strength of an elastic net, `mix` its share of the lasso from 0 (ridge) to 1.
    """
    read = formula.read(text, family, dictionary, outcome=outcome)
    analysis: Dict[str, Any] = {"kind": "regression", "formula": str(read)}
    used = list(read.variables)
    if weights is not None:
        dictionary.numbers([weights])
        analysis["weights"] = weights
        used.append(weights)
    one_of("ties", ties, ("efron", "breslow"))
    if family == "cox":
        analysis["ties"] = ties
    if penalty is not None:
        if not penalty > 0 or not 0 <= mix <= 1:
            raise QuestionError("a penalty is greater than 0, and its mix from 0 (ridge) to 1 (lasso)")
        if not read.intercept:
            raise QuestionError("a penalised model keeps its intercept; leave `- 1` out")
        analysis["penalty"] = {"lambda": penalty, "alpha": mix}
    elif mix != 0.0:
        raise QuestionError("`mix` belongs to a `penalty`")
    return Draft(analysis, once(used), answers.Model, ROUNDS_OF_REGRESSION)


def mixed(dictionary: Dictionary, text: str, group: Optional[str], restricted: bool) -> Draft[answers.MixedModel]:
    """A linear model with an intercept that varies between groups within institutions, or between
    institutions where no group is named."""
    outcome, covariates = formula.two_sides(text, dictionary, "a mixed model")
    dictionary.numbers([outcome])
    analysis: Dict[str, Any] = {"kind": "mixed", "outcome": outcome, "covariates": list(covariates)}
    used = [outcome, *covariates]
    if group is not None:
        dictionary.categories([group])
        analysis["group"] = group
        used.append(group)
    analysis["restricted"] = restricted
    return Draft(analysis, once(used), answers.MixedModel, 12)


def boosting(
    dictionary: Dictionary,
    text: str,
    loss: Optional[str],
    trees: int,
    depth: int,
    shrinkage: float,
    steps: int,
    least_rows: int,
    least_weight: float,
    ridge: float,
) -> Draft[answers.BoostedTrees]:
    """Gradient-boosted trees; the loss is logistic for an outcome of yes and no, else squared."""
    outcome, covariates = _boosted(dictionary, text)
    known = dictionary[outcome]
    if loss is None:
        loss = "logistic" if known.is_category or (known.min, known.max) == (0, 1) else "squared"
    one_of("loss", loss, ("logistic", "squared"))
    if loss == "logistic":
        dictionary.binary(outcome)
    else:
        dictionary.numbers([outcome])
    analysis: Dict[str, Any] = {
        "kind": "boosting",
        "outcome": outcome,
        "covariates": list(covariates),
        "loss": loss,
        "trees": trees,
        "depth": depth,
        "shrinkage": float(shrinkage),
        "steps": steps,
        "least_rows": least_rows,
        "least_weight": float(least_weight),
        "ridge": float(ridge),
    }
    return Draft(analysis, once([outcome, *covariates]), answers.BoostedTrees, 1 + trees * (depth + 1))


def _boosted(dictionary: Dictionary, text: str) -> Tuple[str, Tuple[str, ...]]:
    read = formula.read(text, "any", dictionary)
    if read.plain is None or not read.intercept or not read.plain:
        raise QuestionError("trees take variables as they are, joined by `+`: they find products by themselves")
    return read.variables[0], read.plain
