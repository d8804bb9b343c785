"""The questions that a project can be asked, one method a kind of analysis."""

from __future__ import annotations

from typing import Optional, Sequence, TypeVar

from . import analyses, answers
from .analyses import Draft
from .dictionary import Dictionary
from .questions import Question

A = TypeVar("A", bound=answers.Answer)

#: Thresholds at which predictions are counted where none are named.
THRESHOLDS = tuple(at / 20 for at in range(1, 20))


class Asking:
    """Whatever has a dictionary and can be asked."""

    @property
    def dictionary(self) -> Dictionary:
        """The variables that can be named."""
        raise NotImplementedError

    def ask(self, draft: Draft[A]) -> Question[A]:
        """Sends a question."""
        raise NotImplementedError

    # Regressions. Formulas are those of R: `y ~ a * b + I(x^2) + offset(log(t))`.

    def linear(
        self, formula: str, *, weights: Optional[str] = None, penalty: Optional[float] = None, mix: float = 0.0
    ) -> Question[answers.Model]:
        """Least squares: `bmi ~ age * arm`. `penalty` is the strength of an elastic net, `mix` its share
        of the lasso from 0 (ridge) to 1 (lasso)."""
        return self._regression("linear", formula, weights, penalty, mix)

    def logistic(
        self, formula: str, *, weights: Optional[str] = None, penalty: Optional[float] = None, mix: float = 0.0
    ) -> Question[answers.Model]:
        """Logistic regression: `died ~ age + arm`."""
        return self._regression("logistic", formula, weights, penalty, mix)

    def poisson(
        self, formula: str, *, weights: Optional[str] = None, penalty: Optional[float] = None, mix: float = 0.0
    ) -> Question[answers.Model]:
        """Poisson regression with a log link: `falls ~ age + offset(log(days))`."""
        return self._regression("poisson", formula, weights, penalty, mix)

    def negbin(self, formula: str, *, weights: Optional[str] = None) -> Question[answers.Model]:
        """Negative binomial regression (NB2) with a log link."""
        return self._regression("negbin", formula, weights, None, 0.0)

    def cox(
        self,
        outcome: str,
        formula: Optional[str] = None,
        *,
        weights: Optional[str] = None,
        ties: str = "efron",
        penalty: Optional[float] = None,
        mix: float = 0.0,
    ) -> Question[answers.Model]:
        """Cox's proportional hazards, stratified by institution in any case: `cox("time, event", "age +
        strata(ward)")`, or `cox("Surv(time, event) ~ age")`."""
        text, before = (outcome, "") if formula is None else (formula, outcome)
        draft = analyses.regression(
            "cox",
            text,
            self.dictionary,
            outcome=before,
            weights=weights,
            ties=ties,
            penalty=penalty,
            mix=mix,
        )
        return self.ask(draft)

    def _regression(
        self, family: str, formula: str, weights: Optional[str], penalty: Optional[float], mix: float
    ) -> Question[answers.Model]:
        draft = analyses.regression(family, formula, self.dictionary, weights=weights, penalty=penalty, mix=mix)
        return self.ask(draft)

    def mixed(
        self, formula: str, *, group: Optional[str] = None, restricted: bool = True
    ) -> Question[answers.MixedModel]:
        """A linear model with a random intercept for each `group` within an institution, or for each
        institution: `bmi ~ age + arm`."""
        return self.ask(analyses.mixed(self.dictionary, formula, group, restricted))

    # Descriptions.

    def crosstab(self, *by: str) -> Question[answers.Crosstab]:
        """Counts by one to three categories."""
        return self.ask(analyses.crosstab(self.dictionary, by))

    def summary(self, *variables: str, by: Optional[str] = None) -> Question[answers.Summary]:
        """Number, mean, standard deviation, skewness and kurtosis of numbers, in each level of `by`."""
        return self.ask(analyses.summary(self.dictionary, variables, by))

    def histogram(
        self, variable: str, *, bins: Optional[int] = None, edges: Optional[Sequence[float]] = None
    ) -> Question[answers.Histogram]:
        """Counts between `edges`, or in equal `bins` (20) between the dictionary's bounds."""
        return self.ask(analyses.histogram(self.dictionary, variable, bins, edges))

    def quantiles(
        self,
        *variables: str,
        probabilities: Sequence[float] = (0.25, 0.5, 0.75),
        step: Optional[float] = None,
        definition: str = "linear",
    ) -> Question[answers.Quantiles]:
        """Quantiles. `step` is the finest width that matters, 1 for whole years: it saves rounds."""
        return self.ask(analyses.quantiles(self.dictionary, variables, probabilities, step, definition))

    # Comparisons: `age ~ arm`, or `"age", by="arm"`.

    def t_test(self, outcome: str, *, by: Optional[str] = None) -> Question[answers.TTest]:
        """Student's and Welch's t of a number in two groups."""
        return self.ask(analyses.t_test(self.dictionary, outcome, by))

    def paired_t(self, first: str, second: str) -> Question[answers.TTest]:
        """Paired t: the second number less the first, row by row."""
        return self.ask(analyses.paired_t(self.dictionary, first, second))

    def anova(self, outcome: str, *, by: Optional[str] = None) -> Question[answers.Anova]:
        """One-way analysis of variance."""
        return self.ask(analyses.anova(self.dictionary, outcome, by))

    def rank_sum(self, outcome: str, *, by: Optional[str] = None, step: float = 1.0) -> Question[answers.RankSum]:
        """Mann–Whitney on a grid of `step`; exact where all values stand on it."""
        return self.ask(analyses.rank_sum(self.dictionary, outcome, by, step))

    def chi_squared(self, rows: str, columns: str) -> Question[answers.ChiSquared]:
        """Pearson's test of independence of two categories."""
        return self.ask(analyses.chi_squared(self.dictionary, rows, columns))

    def correlation(self, *variables: str) -> Question[answers.Correlations]:
        """Pearson's correlations of every two numbers."""
        return self.ask(analyses.correlation(self.dictionary, variables))

    # Survival, effects.

    def kaplan_meier(
        self,
        outcome: str,
        *,
        by: Optional[str] = None,
        grid: Optional[Sequence[float]] = None,
        width: Optional[float] = None,
        least: int = 10,
        horizon: Optional[float] = None,
    ) -> Question[answers.Survival]:
        """Kaplan–Meier curves and log-rank tests: `"time, event", by="arm"`, or `Surv(time, event) ~ arm`.

        Times stand on `grid`, or on points in the distance `width` (a hundredth of the greatest time).
        A step is told once it rests on `least` events; `horizon` asks for restricted means up to it.
        """
        return self.ask(analyses.survival(self.dictionary, outcome, by, grid, width, least, horizon))

    def meta_analysis(
        self, outcome: str, *, by: Optional[str] = None, effect: str = "log-odds-ratio", estimator: str = "reml"
    ) -> Question[answers.MetaAnalysis]:
        """Each institution estimates the effect of a group (`died ~ arm`), and the estimates are pooled.
        `effect` is `mean-difference`, `log-odds-ratio`, `log-risk-ratio` or `risk-difference`."""
        return self.ask(analyses.meta_analysis(self.dictionary, outcome, by, effect, estimator))

    def propensity(
        self,
        treatment: str,
        outcome: str,
        covariates: Sequence[str],
        *,
        estimand: str = "ate",
        stabilised: bool = False,
        trim: Optional[float] = None,
    ) -> Question[answers.WeightedEffect]:
        """The effect of a treatment on an outcome by inverse-probability weighting, over all (`ate`) or
        the treated (`att`). Propensities below `trim` and above 1 less it are brought to it."""
        return self.ask(analyses.weighting(self.dictionary, treatment, outcome, covariates, estimand, stabilised, trim))

    # Structure and prediction.

    def pca(self, *variables: str, correlation: bool = True) -> Question[answers.Components]:
        """Principal components, of the correlations or of the covariances."""
        return self.ask(analyses.pca(self.dictionary, variables, correlation))

    def kmeans(
        self, *variables: str, clusters: int, seed: int = 0, standardise: bool = True, most_rounds: int = 100
    ) -> Question[answers.Clusters]:
        """Clusters about centres by Lloyd's rounds."""
        return self.ask(analyses.kmeans(self.dictionary, variables, clusters, seed, standardise, most_rounds))

    def roc(
        self,
        outcome: str,
        prediction: str,
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        groups: int = 10,
        grid: int = 1000,
    ) -> Question[answers.Validation]:
        """How good a prediction is that the rows hold: ROC, calibration, Brier score, net benefit."""
        return self.ask(analyses.validation(self.dictionary, outcome, prediction, thresholds, groups, grid))

    def boost(
        self,
        formula: str,
        *,
        loss: Optional[str] = None,
        trees: int = 50,
        depth: int = 3,
        shrinkage: float = 0.1,
        steps: int = 32,
        least_rows: int = 10,
        least_weight: float = 0.0,
        ridge: float = 1.0,
    ) -> Question[answers.BoostedTrees]:
        """Gradient-boosted trees: `died ~ age + arm`. Takes a round for each level of each tree."""
        return self.ask(
            analyses.boosting(
                self.dictionary, formula, loss, trees, depth, shrinkage, steps, least_rows, least_weight, ridge
            )
        )

    def perceptron(
        self,
        formula: str,
        *,
        hidden: Sequence[int] = (8,),
        output: Optional[str] = None,
        activation: str = "relu",
        rounds: int = 50,
        epochs: int = 1,
        batch: int = 32,
        learning_rate: float = 0.1,
        server_momentum: float = 0.0,
        weight_decay: float = 0.0,
        most_change: float = 0.5,
        held_out: float = 0.2,
        patience: int = 0,
        seed: int = 0,
    ) -> Question[answers.Perceptron]:
        """A small neural network by federated averaging: `died ~ age + arm`, with so many units in each
        `hidden` layer. Institutions train on their own rows from the same weights; the sum of their
        changes alone leaves. A fifth of the rows is held out and measures the network. Training ends
        after `patience` rounds without a smaller loss, where that is not 0."""
        return self.ask(
            analyses.perceptron(
                self.dictionary,
                formula,
                output,
                hidden,
                activation,
                rounds,
                epochs,
                batch,
                learning_rate,
                server_momentum,
                weight_decay,
                most_change,
                held_out,
                patience,
                seed,
            )
        )

    # Where rows may not be pooled.

    def two_stage(
        self,
        formula: str,
        *,
        family: str,
        outcome: str = "",
        weights: Optional[str] = None,
        ties: str = "efron",
        estimator: str = "reml",
    ) -> Question[answers.TwoStage]:
        """Each institution fits the regression of a `family` to its own rows, and the coefficients are
        pooled, with how they differ between institutions: `two_stage("died ~ age", family="logistic")`."""
        draft = analyses.two_stage(
            self.dictionary, family, formula, outcome=outcome, weights=weights, ties=ties, estimator=estimator
        )
        return self.ask(draft)
