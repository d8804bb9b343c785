"""What can be asked, written as nodes read it: one function a kind of analysis.

Each gives a `Draft`: the analysis in the node's JSON, the variables that it uses, the class of its
answer, and about how many rounds it takes. Nothing is sent here.
"""

from .comparing import anova, chi_squared, paired_t, rank_sum, t_test
from .describing import correlation, crosstab, histogram, kmeans, pca, quantiles, summary
from .draft import Draft
from .effects import meta_analysis, survival, validation, weighting
from .models import boosting, mixed, regression
from .networks import perceptron, program, two_stage

__all__ = [
    "Draft",
    "anova",
    "boosting",
    "chi_squared",
    "correlation",
    "crosstab",
    "histogram",
    "kmeans",
    "meta_analysis",
    "mixed",
    "paired_t",
    "pca",
    "perceptron",
    "program",
    "quantiles",
    "rank_sum",
    "regression",
    "summary",
    "survival",
    "t_test",
    "two_stage",
    "validation",
    "weighting",
]
