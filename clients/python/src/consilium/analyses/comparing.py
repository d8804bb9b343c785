"""Tests of differences and of association."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from .. import answers, formula
from ..dictionary import Dictionary
from ..errors import QuestionError
from .draft import Draft, once


def of_groups(
    kind: str, dictionary: Dictionary, outcome: str, by: Optional[str]
) -> Tuple[Dict[str, Any], Tuple[str, ...]]:
    """`age ~ arm`, or `age` with `by="arm"`: a number in the levels of a category."""
    if by is None:
        outcome, names = formula.two_sides(outcome, dictionary, "a comparison")
        if len(names) != 1:
            raise QuestionError("a comparison is of the levels of one category: `age ~ arm`")
        by = names[0]
    dictionary.numbers([outcome])
    dictionary.categories([by])
    if kind in ("t-test", "rank-sum") and len(dictionary[by].levels) != 2:
        raise QuestionError(
            f"`{by}` has {len(dictionary[by].levels)} levels; two are compared here, `anova` takes more"
        )
    return {"kind": kind, "outcome": outcome, "group": by}, (outcome, by)


def t_test(dictionary: Dictionary, outcome: str, by: Optional[str]) -> Draft[answers.TTest]:
    """Student's and Welch's t."""
    analysis, used = of_groups("t-test", dictionary, outcome, by)
    return Draft(analysis, used, answers.TTest, 2)


def anova(dictionary: Dictionary, outcome: str, by: Optional[str]) -> Draft[answers.Anova]:
    """One-way analysis of variance."""
    analysis, used = of_groups("anova", dictionary, outcome, by)
    return Draft(analysis, used, answers.Anova, 2)


def rank_sum(dictionary: Dictionary, outcome: str, by: Optional[str], step: float) -> Draft[answers.RankSum]:
    """Mann–Whitney on a grid of `step`."""
    analysis, used = of_groups("rank-sum", dictionary, outcome, by)
    known = dictionary[analysis["outcome"]]
    if known.min is None or known.max is None:
        raise QuestionError(f"a rank sum needs the bounds of `{known.name}` in the dictionary")
    if not step > 0:
        raise QuestionError("the step of a rank sum is greater than 0")
    return Draft({**analysis, "step": float(step)}, used, answers.RankSum, 1)


def paired_t(dictionary: Dictionary, first: str, second: str) -> Draft[answers.TTest]:
    """Paired t: the second number less the first."""
    dictionary.numbers([first, second])
    return Draft({"kind": "paired-t", "first": first, "second": second}, once([first, second]), answers.TTest, 2)


def chi_squared(dictionary: Dictionary, rows: str, columns: str) -> Draft[answers.ChiSquared]:
    """Independence of two categories."""
    dictionary.categories([rows, columns])
    if rows == columns:
        raise QuestionError("name two different categories")
    return Draft({"kind": "chi-squared", "rows": rows, "columns": columns}, (rows, columns), answers.ChiSquared, 1)
