"""Drawings with matplotlib, which is optional: `pip install 'consilium[plots]'`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

from . import answers
from .drawing import COLOURS
from .errors import MissingExtra, QuestionError

if TYPE_CHECKING:
    from .cohorts import Counted

_MAIN = COLOURS[0]
_OTHER = COLOURS[1]
_QUIET = "#777777"
_LINES = ("-", "--", ":", "-.")


def forest(model: Any, ax: Any = None, *, exponentiate: Optional[bool] = None) -> Any:
    """Estimates with 95 % intervals, the intercept left out."""
    if exponentiate is None:
        exponentiate = model.ratio is not None
    names: List[str] = []
    found: List[Tuple[float, float, float]] = []
    for one in model.coefficients:
        if one.name == "Intercept":
            continue
        low, high = model.interval(one.name) or (one.estimate, one.estimate)
        names.append(one.name)
        found.append((one.estimate, low, high))
    label = (model.ratio or "exp(estimate)") if exponentiate else "estimate"
    return _intervals(ax, names, found, label, exponentiate)


def meta(answer: "answers.MetaAnalysis", ax: Any = None) -> Any:
    """The pooled estimates, and where a further institution's effect lies."""
    names = [name for name, _ in answer.pooled()]
    found = [(one.estimate, *one.interval) for _, one in answer.pooled()]
    if answer.prediction:
        names.append("prediction")
        found.append((answer.random.estimate, *answer.prediction))
    is_log = answer.ratio is not None
    return _intervals(ax, names, found, answer.ratio or str(answer.asked.get("effect", "effect")), is_log)


def kaplan_meier(answer: "answers.Survival", ax: Any = None, *, intervals: bool = True) -> Any:
    """Falling steps, with bands for the intervals."""
    ax = _axes(ax)
    for place, curve in enumerate(answer.curves):
        colour = COLOURS[place % len(COLOURS)]
        times = [0.0] + [step.time for step in curve.steps]
        survival = [1.0] + [step.survival for step in curve.steps]
        label = f"{curve.level or 'all'} (n = {curve.n:,})"
        style = _LINES[place % len(_LINES)]
        ax.step(times, survival, where="post", color=colour, label=label, linestyle=style)
        if intervals:
            bands = [(1.0, 1.0)] + [step.interval or (step.survival, step.survival) for step in curve.steps]
            low, high = zip(*bands)
            ax.fill_between(times, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
    ax.set_ylim(0, 1.02)
    ax.set_xlim(left=0)
    ax.set_xlabel(str(answer.asked.get("time", "time")))
    ax.set_ylabel("survival")
    ax.legend(frameon=False)
    return ax


def histogram(answer: "answers.Histogram", ax: Any = None) -> Any:
    """Bars of counts."""
    ax = _axes(ax)
    widths = [high - low for low, high in zip(answer.edges, answer.edges[1:])]
    ax.bar(answer.edges[:-1], answer.counts, width=widths, align="edge", color=_MAIN, edgecolor="white", linewidth=0.6)
    ax.set_xlabel(answer.variable)
    ax.set_ylabel("rows")
    return ax


def balance(answer: "answers.WeightedEffect", ax: Any = None) -> Any:
    """Absolute standardised differences without and with weights, and the customary limit of 0.1."""
    ax = _axes(ax)
    names = [one.name for one in answer.balance]
    places = list(range(len(names)))[::-1]
    for attribute, marker, colour, label in (("before", "o", _QUIET, "unweighted"), ("after", "s", _MAIN, "weighted")):
        values = [getattr(one, attribute) for one in answer.balance]
        sizes = [abs(value) if value is not None else math.nan for value in values]
        filled = "none" if attribute == "before" else colour
        ax.scatter(sizes, places, marker=marker, color=colour, facecolors=filled, label=label, zorder=3)
    ax.axvline(0.1, color=_QUIET, linestyle=":", linewidth=1)
    ax.set_yticks(places)
    ax.set_yticklabels(names)
    ax.set_xlim(left=0)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.set_xlabel("absolute standardised difference")
    # Above the drawing, where no point lies.
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return ax


def shares(answer: "answers.Components", ax: Any = None) -> Any:
    """Shares of variance of the components, and what they come to."""
    ax = _axes(ax)
    names = [f"PC{at}" for at in range(1, len(answer.components) + 1)]
    told = [100 * one.share for one in answer.components]
    ax.bar(names, told, color=_MAIN)
    sums = [sum(told[: at + 1]) for at in range(len(told))]
    ax.plot(names, sums, color=_OTHER, marker="o", label="together")
    ax.set_ylim(0, 105)
    ax.set_ylabel("share of variance, %")
    ax.legend(frameon=False)
    return ax


def training(answer: "answers.BoostedTrees", ax: Any = None) -> Any:
    """The mean loss before each tree."""
    ax = _axes(ax)
    ax.plot(range(len(answer.training)), answer.training, color=_MAIN)
    ax.set_xlabel("trees")
    ax.set_ylabel(f"mean {answer.loss} loss")
    return ax


def losses(answer: "answers.Perceptron", ax: Any = None) -> Any:
    """The mean loss before each round of training, and where the network stood that is the answer."""
    ax = _axes(ax)
    ax.plot(range(len(answer.training)), answer.training, color=_MAIN, label="training")
    if answer.held_out:
        ax.plot(range(len(answer.held_out)), answer.held_out, color=_OTHER, linestyle="--", label="held out")
    ax.axvline(answer.round, color=_QUIET, linestyle=":", linewidth=1)
    ax.set_xlabel("rounds")
    ax.set_ylabel("mean loss")
    ax.legend(frameon=False)
    return ax


def pooled(answer: "answers.TwoStage", ax: Any = None, *, exponentiate: Optional[bool] = None) -> Any:
    """Pooled coefficients with 95 % intervals, the intercept left out."""
    if exponentiate is None:
        exponentiate = answer.ratio is not None
    shown = [one for one in answer.coefficients if one.name != "Intercept"]
    found = [(one.pooled.random.estimate, *one.pooled.random.interval) for one in shown]
    label = (answer.ratio or "exp(estimate)") if exponentiate else "estimate"
    return _intervals(ax, [one.name for one in shown], found, label, exponentiate)


def attrition(counted: "Counted", ax: Any = None) -> Any:
    """Who is left after each step, with what the noise may be."""
    names = [label for label, _ in counted.steps]
    ax = _axes(ax, (6.4, max(1.8, 0.5 * len(names) + 1.0)))
    places = list(range(len(names)))[::-1]
    people = [count.people or 0 for _, count in counted.steps]
    errors = [count.error or 0 if count.people is not None else 0 for _, count in counted.steps]
    low = [min(error, one) for one, error in zip(people, errors)]
    ax.barh(places, people, color=_MAIN, height=0.6)
    ax.errorbar(people, places, xerr=[low, errors], fmt="none", ecolor=_QUIET, capsize=3)
    for place, (_, count) in zip(places, counted.steps):
        if count.people is None:
            ax.annotate(str(count), (0, place), xytext=(4, 0), textcoords="offset points", va="center", color=_QUIET)
    ax.set_yticks(places)
    ax.set_yticklabels(names)
    ax.set_xlim(left=0)
    ax.set_xlabel("people")
    return ax


def bars(names: List[str], values: List[Any], x: str, y: str, ax: Any = None) -> Any:
    """Bars of numbers by names."""
    ax = _axes(ax)
    ax.bar(range(len(names)), [math.nan if value is None else value for value in values], color=_MAIN)
    ax.set_xticks(range(len(names)))
    ax.set_xticklabels(names, rotation=45 if max(map(len, names), default=0) > 8 else 0)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return ax


def validation(answer: "answers.Validation", ax: Any = None, *, what: str = "roc") -> Any:
    """The receiver operating characteristic, the calibration plot or the decision curve."""
    drawings = {"roc": _roc, "calibration": _calibration, "benefit": _benefit}
    if what not in drawings:
        raise QuestionError(f"`what` is one of {', '.join(f'`{one}`' for one in drawings)}")
    return drawings[what](answer, _axes(ax))


def _roc(answer: "answers.Validation", ax: Any) -> Any:
    if not answer.thresholds:
        raise QuestionError("ask with `thresholds` to see the curve: it is drawn through them")
    points = sorted((1 - one.specificity, one.sensitivity) for one in answer.thresholds)
    x, y = zip(*[(0.0, 0.0), *points, (1.0, 1.0)])
    low, high = answer.auc_interval
    ax.plot(x, y, color=_MAIN, marker="o", markersize=3, label=f"AUC {answer.auc:.3f} ({low:.3f} to {high:.3f})")
    ax.plot([0, 1], [0, 1], color=_QUIET, linestyle=":", linewidth=1)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_aspect("equal")
    ax.set_xlabel("1 - specificity")
    ax.set_ylabel("sensitivity")
    ax.legend(frameon=False, loc="lower right")
    return ax


def _calibration(answer: "answers.Validation", ax: Any) -> Any:
    groups = [one for one in answer.groups if one.n]
    seen = [one.events / one.n for one in groups]
    bars = [1.96 * math.sqrt(p * (1 - p) / one.n) for p, one in zip(seen, groups)]
    slope = answer.calibration[1][0]
    predicted = [one.mean_prediction for one in groups]
    ax.errorbar(predicted, seen, yerr=bars, fmt="o", color=_MAIN, capsize=2, label=f"slope {slope:.2f}")
    ax.plot([0, 1], [0, 1], color=_QUIET, linestyle=":", linewidth=1)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_aspect("equal")
    ax.set_xlabel("mean prediction")
    ax.set_ylabel("part with the outcome")
    ax.legend(frameon=False, loc="upper left")
    return ax


def _benefit(answer: "answers.Validation", ax: Any) -> Any:
    told = sorted(answer.thresholds, key=lambda one: one.threshold)
    x = [one.threshold for one in told]
    ax.plot(x, [one.net_benefit for one in told], color=_MAIN, label="prediction")
    ax.plot(x, [one.net_benefit_of_all for one in told], color=_OTHER, linestyle="--", label="all")
    ax.axhline(0, color=_QUIET, linestyle=":", linewidth=1, label="none")
    top = max([one.net_benefit for one in told], default=0.1)
    ax.set_ylim(-0.2 * abs(top), 1.15 * top if top > 0 else 0.1)
    ax.set_xlabel("threshold")
    ax.set_ylabel("net benefit")
    ax.legend(frameon=False)
    return ax


def _intervals(ax: Any, names: List[str], found: List[Tuple[float, float, float]], label: str, is_log: bool) -> Any:
    own = (6.4, max(1.6, 0.45 * len(names) + 1.1))
    ax = _axes(ax, own)
    if is_log:
        found = [(math.exp(one), math.exp(low), math.exp(high)) for one, low, high in found]
        ax.set_xscale("log")
    places = list(range(len(names)))[::-1]
    estimates = [one for one, _, _ in found]
    reach = [[one - low for one, low, _ in found], [high - one for one, _, high in found]]
    ax.errorbar(estimates, places, xerr=reach, fmt="s", color=_MAIN, capsize=3, markersize=5)
    ax.axvline(1 if is_log else 0, color=_QUIET, linestyle=":", linewidth=1)
    if is_log:
        _plain_ticks(ax, found)
    for place, (one, low, high) in zip(places, found):
        text = f"{one:.3g} ({low:.3g} to {high:.3g})"
        ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize="small")
    ax.set_yticks(places)
    ax.set_yticklabels(names)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.set_xlabel(f"{label} (95 % interval)")
    return ax


def _plain_ticks(ax: Any, found: List[Tuple[float, float, float]]) -> None:
    """Plain numbers on a logarithmic scale."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low = min([1.0, *(low for _, low, _ in found)])
    high = max([1.0, *(high for _, _, high in found)])
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    shown: List[float] = [1.0]
    halves, fiftieths = ([1.0 + width * at for at in range(round(9 / width))] for width in (0.5, 0.02))
    for steps in ([1.0], [1.0, 3.0], [1.0, 2.0, 5.0], [1.0, 1.5, 2.0, 3.0, 5.0, 7.0], halves, fiftieths):
        every = sorted({float(f"{step * 10.0**power:.6g}") for power in powers for step in steps})
        found_here = [one for one in every if low / 1.02 <= one <= high * 1.02]
        if len(found_here) > 9:
            break
        shown = found_here or shown
        if len(shown) >= 4:
            break
    ax.xaxis.set_major_locator(FixedLocator(shown or [1.0]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _axes(ax: Any, size: Tuple[float, float] = (6.4, 4.2)) -> Any:
    if ax is None:
        try:
            from matplotlib import pyplot
        except ImportError:
            raise MissingExtra("drawings need matplotlib: pip install 'consilium[plots]'") from None
        _, ax = pyplot.subplots(figsize=size, layout="constrained")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax
