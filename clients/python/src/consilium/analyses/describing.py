"""Counts, summaries and the structure of several numbers."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from .. import answers
from ..dictionary import Dictionary
from ..errors import QuestionError
from .draft import Draft, once, one_of, some


def crosstab(dictionary: Dictionary, by: Sequence[str]) -> Draft[answers.Crosstab]:
    """Counts by one to three categories."""
    if not 1 <= len(by) <= 3:
        raise QuestionError("a table is by one to three categories")
    dictionary.categories(by)
    return Draft({"kind": "crosstab", "by": list(by)}, once(by), answers.Crosstab, 1)


def summary(dictionary: Dictionary, variables: Sequence[str], by: Optional[str]) -> Draft[answers.Summary]:
    """Number, mean, variance, skewness and kurtosis of numbers, in each level of `by`."""
    names = some(variables)
    dictionary.numbers(names)
    analysis: Dict[str, Any] = {"kind": "summary", "variables": names}
    if by is not None:
        dictionary.categories([by])
        analysis["by"] = by
        names = [*names, by]
    return Draft(analysis, once(names), answers.Summary, 2)


def histogram(
    dictionary: Dictionary, variable: str, bins: Optional[int], edges: Optional[Sequence[float]]
) -> Draft[answers.Histogram]:
    """Counts between edges, or in equal bins between the bounds of the dictionary."""
    dictionary.numbers([variable])
    analysis: Dict[str, Any] = {"kind": "histogram", "variable": variable}
    if edges is not None:
        if bins is not None:
            raise QuestionError("name `edges` or `bins`, not both")
        if len(edges) < 2 or any(not low < high for low, high in zip(edges, edges[1:])):
            raise QuestionError("edges are two or more, and rise")
        analysis["edges"] = [float(edge) for edge in edges]
    else:
        known = dictionary[variable]
        if known.min is None or known.max is None:
            raise QuestionError(f"the dictionary states no bounds of `{variable}`; name the `edges`")
        analysis["bins"] = 20 if bins is None else bins
    return Draft(analysis, (variable,), answers.Histogram, 1)


def quantiles(
    dictionary: Dictionary,
    variables: Sequence[str],
    probabilities: Sequence[float],
    step: Optional[float],
    definition: str,
) -> Draft[answers.Quantiles]:
    """Quantiles by bisection on counts. `step` is the finest width that matters (1 for whole years)."""
    names = some(variables)
    dictionary.numbers(names)
    if not probabilities or any(not 0 <= p <= 1 for p in probabilities):
        raise QuestionError("probabilities lie between 0 and 1")
    one_of("definition", definition, ("linear", "inverse-distribution"))
    analysis: Dict[str, Any] = {
        "kind": "quantiles",
        "variables": names,
        "probabilities": [float(p) for p in probabilities],
        "definition": definition,
    }
    if step is not None:
        analysis["step"] = float(step)
    return Draft(analysis, once(names), answers.Quantiles, 8)


def correlation(dictionary: Dictionary, variables: Sequence[str]) -> Draft[answers.Correlations]:
    """Pearson's correlations of every two numbers."""
    names = some(variables, 2)
    dictionary.numbers(names)
    return Draft({"kind": "correlation", "variables": names}, once(names), answers.Correlations, 2)


def pca(dictionary: Dictionary, variables: Sequence[str], correlation: bool) -> Draft[answers.Components]:
    """Principal components."""
    names = some(variables, 2)
    dictionary.numbers(names)
    analysis = {"kind": "pca", "variables": names, "correlation": correlation}
    return Draft(analysis, once(names), answers.Components, 2)


def kmeans(
    dictionary: Dictionary, variables: Sequence[str], clusters: int, seed: int, standardise: bool, most_rounds: int
) -> Draft[answers.Clusters]:
    """Clusters about centres."""
    names = some(variables)
    dictionary.numbers(names)
    for name in names:
        if dictionary[name].min is None or dictionary[name].max is None:
            raise QuestionError(f"clusters need the bounds of `{name}` in the dictionary")
    if not 2 <= clusters <= 100:
        raise QuestionError("there are 2 to 100 clusters")
    analysis = {
        "kind": "k-means",
        "variables": names,
        "clusters": clusters,
        "seed": seed,
        "standardise": standardise,
        "most_rounds": most_rounds,
    }
    return Draft(analysis, once(names), answers.Clusters, 15)
