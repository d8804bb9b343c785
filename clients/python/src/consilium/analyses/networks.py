"""Small neural networks, two-stage regressions and programs of one's own."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from .. import answers, formula
from ..dictionary import Dictionary
from ..errors import QuestionError
from .draft import Draft, once, one_of
from .effects import ESTIMATORS
from .models import regression

#: Limits of networks and of pooled regressions, as nodes have them.
MOST_HIDDEN = 2
MOST_UNITS = 256
MOST_ROUNDS = 500
MOST_EPOCHS = 100


def perceptron(
    dictionary: Dictionary,
    text: str,
    output: Optional[str],
    hidden: Sequence[int],
    activation: str,
    rounds: int,
    epochs: int,
    batch: int,
    learning_rate: float,
    server_momentum: float,
    weight_decay: float,
    most_change: float,
    held_out: float,
    patience: int,
    seed: int,
) -> Draft[answers.Perceptron]:
    """A network by federated averaging. The output is logistic for an outcome of yes and no, softmax for a
    category of more levels, else linear."""
    read = formula.read(text, "any", dictionary)
    if read.plain is None or not read.intercept or not read.plain:
        raise QuestionError("networks take variables as they are, joined by `+`: they find products by themselves")
    outcome, covariates = read.variables[0], read.plain
    known = dictionary[outcome]
    if output is None:
        is_binary = len(known.levels) == 2 if known.is_category else (known.min, known.max) == (0, 1)
        output = "logistic" if is_binary else "softmax" if known.is_category else "linear"
    one_of("output", output, ("linear", "logistic", "softmax"))
    one_of("activation", activation, ("relu", "tanh"))
    if output == "logistic":
        dictionary.binary(outcome)
    elif output == "softmax":
        dictionary.categories([outcome])
    else:
        dictionary.numbers([outcome])
    for name in covariates if output != "linear" else (outcome, *covariates):
        one = dictionary[name]
        if not one.is_category and (one.min is None or one.max is None):
            raise QuestionError(f"networks need the bounds of `{name}` in the dictionary")
    if outcome in covariates:
        raise QuestionError(f"`{outcome}` is the outcome and cannot explain itself")
    if len(hidden) > MOST_HIDDEN or any(not 1 <= units <= MOST_UNITS for units in hidden):
        raise QuestionError(f"there are at most {MOST_HIDDEN} hidden layers, of 1 to {MOST_UNITS} units each")
    if not 1 <= rounds <= MOST_ROUNDS or not 1 <= epochs <= MOST_EPOCHS or batch < 0:
        raise QuestionError(f"there are 1 to {MOST_ROUNDS} rounds and 1 to {MOST_EPOCHS} epochs; a batch is 0 or more")
    if not 0 < learning_rate <= 100 or not 0 < most_change <= 1000:
        raise QuestionError("the learning rate is above 0 and at most 100, the greatest change at most 1000")
    if not 0 <= server_momentum < 1 or not 0 <= held_out < 1 or not 0 <= weight_decay <= 100:
        raise QuestionError("momentum and the part held out are from 0 to below 1, weight decay from 0 to 100")
    analysis: Dict[str, Any] = {
        "kind": "perceptron",
        "outcome": outcome,
        "covariates": list(covariates),
        "output": output,
        "hidden": list(hidden),
        "activation": activation,
        "rounds": rounds,
        "epochs": epochs,
        "batch": batch,
        "learning_rate": float(learning_rate),
        "server_momentum": float(server_momentum),
        "weight_decay": float(weight_decay),
        "most_change": float(most_change),
        "held_out": float(held_out),
        "patience": patience,
        "seed": seed,
    }
    return Draft(analysis, once([outcome, *covariates]), answers.Perceptron, rounds + 2)


def two_stage(
    dictionary: Dictionary,
    family: str,
    text: str,
    *,
    outcome: str = "",
    weights: Optional[str] = None,
    ties: str = "efron",
    estimator: str = "reml",
) -> Draft[answers.TwoStage]:
    """A regression at each institution, and their coefficients pooled."""
    one_of("estimator", estimator, ESTIMATORS)
    one_of("family", family, ("linear", "logistic", "poisson", "negbin", "cox"))
    inner = regression(family, text, dictionary, outcome=outcome, weights=weights, ties=ties)
    for name in inner.variables:
        one = dictionary[name]
        if not one.is_category and (one.min is None or one.max is None):
            raise QuestionError(f"a two-stage regression needs the bounds of `{name}` in the dictionary")
    fitted = {key: value for key, value in inner.analysis.items() if key != "kind"}
    analysis = {"kind": "two-stage", "regression": fitted, "estimator": estimator}
    return Draft(analysis, inner.variables, answers.TwoStage, 30)


def program(
    variables: Sequence[str],
    hash: str,
    parameters: str,
    fuel: int,
    memory: int,
    block_rows: Optional[int],
    rounds: int,
) -> Draft[answers.ProgramResult]:
    """A run of a program of one's own."""
    analysis: Dict[str, Any] = {"kind": "program", "program": hash}
    if parameters:
        analysis["parameters"] = parameters
    if block_rows is not None:
        if block_rows < 1:
            raise QuestionError("a block has one row or more")
        analysis["block_rows"] = block_rows
    analysis.update(fuel=fuel, memory=memory)
    return Draft(analysis, once(variables), answers.ProgramResult, rounds)
