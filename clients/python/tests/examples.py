"""Every question that the package can write, by the name under which `forms.json` holds its form."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from consilium import Dictionary
from consilium.analyses import Draft
from consilium.asking import Asking


class Notebook(Asking):
    """Keeps what would be sent."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self.drafts: List[Draft[Any]] = []

    @property
    def dictionary(self) -> Dictionary:
        return self._dictionary

    def ask(self, draft: Draft[Any]) -> Any:
        self.drafts.append(draft)
        return draft


CALLS: Dict[str, Callable[[Notebook], Any]] = {
    "linear": lambda p: p.linear("bmi ~ age * arm + C(ward)"),
    "linear, weighted": lambda p: p.linear("np.log(bmi) ~ age - 1", weights="share"),
    "logistic": lambda p: p.logistic("died ~ age + arm"),
    "logistic, products": lambda p: p.logistic("died ~ age + I(age**2) + arm + arm:sex + sex"),
    "logistic, ridge": lambda p: p.logistic("died ~ age + arm", penalty=0.1),
    "poisson": lambda p: p.poisson("falls ~ age + offset(log(days))"),
    "negbin": lambda p: p.negbin("falls ~ age + offset(log(days))"),
    "cox": lambda p: p.cox("months, died", "age + arm + strata(ward)"),
    "cox, Surv": lambda p: p.cox("Surv(months, died) ~ age * arm", ties="breslow"),
    "crosstab": lambda p: p.crosstab("arm", "ward"),
    "crosstab of three": lambda p: p.crosstab("arm", "ward", "sex"),
    "summary": lambda p: p.summary("age", "bmi"),
    "summary by arm": lambda p: p.summary("age", "bmi", by="arm"),
    "histogram": lambda p: p.histogram("age", bins=8),
    "histogram, edges": lambda p: p.histogram("bmi", edges=[20, 25, 30]),
    "quantiles": lambda p: p.quantiles("age", "bmi", step=1),
    "quantiles, type 1": lambda p: p.quantiles("bmi", probabilities=[0.1, 0.9], definition="inverse-distribution"),
    "t test": lambda p: p.t_test("bmi ~ arm"),
    "paired t": lambda p: p.paired_t("bmi", "bmi_after"),
    "anova": lambda p: p.anova("bmi", by="ward"),
    "chi squared": lambda p: p.chi_squared("arm", "ward"),
    "correlation": lambda p: p.correlation("age", "bmi", "blood pressure"),
    "rank sum": lambda p: p.rank_sum("age ~ arm", step=1),
    "survival": lambda p: p.kaplan_meier("months, died"),
    "survival by arm": lambda p: p.kaplan_meier("months, died", by="arm", width=1, horizon=48, least=5),
    "survival, formula": lambda p: p.kaplan_meier("Surv(months, died) ~ sex", grid=[6, 12, 24, 36, 48]),
    "meta-analysis": lambda p: p.meta_analysis("died ~ arm"),
    "meta-analysis of means": lambda p: p.meta_analysis(
        "bmi", by="arm", effect="mean-difference", estimator="paule-mandel"
    ),
    "pca": lambda p: p.pca("age", "bmi", "blood pressure"),
    "k-means": lambda p: p.kmeans("age", "bmi", clusters=3, seed=7),
    "mixed": lambda p: p.mixed("bmi ~ age + arm"),
    "mixed by ward": lambda p: p.mixed("bmi ~ age", group="ward", restricted=False),
    "propensity": lambda p: p.propensity("arm", "died", ["age", "sex"]),
    "propensity of the treated": lambda p: p.propensity("arm", "bmi", ["age", "sex"], estimand="att", trim=0.05),
    "roc": lambda p: p.roc("died", "risk"),
    "boost": lambda p: p.boost("died ~ age + arm", trees=3, depth=2),
    "boost, squared": lambda p: p.boost("bmi ~ age + ward", trees=2, depth=1, shrinkage=0.5),
    "perceptron": lambda p: p.perceptron("died ~ age + arm", hidden=(2,), rounds=3, seed=7),
    "perceptron, linear": lambda p: p.perceptron("bmi ~ age + ward", hidden=(), rounds=2, batch=0, patience=1),
    "perceptron, classes": lambda p: p.perceptron("ward ~ age + bmi", hidden=(2,), rounds=2, activation="tanh"),
    "two stages": lambda p: p.two_stage("died ~ age + arm", family="logistic"),
    "two stages, linear": lambda p: p.two_stage("bmi ~ age", family="linear", estimator="paule-mandel"),
}
