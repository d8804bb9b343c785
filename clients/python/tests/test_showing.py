"""How answers look: numbers, intervals, HTML that no name can break out of, drawings."""

from __future__ import annotations

import math
from typing import Any

import pytest

import consilium
from conftest import Node, reply
from consilium import answers, laws, rendering
from consilium.errors import MissingExtra
from consilium.transport import HttpsTransport


def answer(forms: Any, name: str) -> Any:
    example = next(one for one in forms["examples"] if one["name"] == name)
    return answers.read(example["answer"], asked=example["analysis"], missing={})


@pytest.mark.parametrize(
    "value, shown",
    [
        (0, "0"),
        (0.0, "0"),
        (1.0, "1.000"),
        (-0.012345, "-0.01235"),
        (123456.7, "123,457"),
        (1e-9, "1.000e-09"),
        (1234567.0, "1.235e+06"),
        (math.inf, "∞"),
        (9.9996, "10.000"),
        (12, "12"),
    ],
)
def test_numbers_have_four_digits(value: float, shown: str) -> None:
    assert rendering.number(value) == shown


def test_quantiles_of_t_are_those_of_tables() -> None:
    # scipy 1.17 `stats.t.ppf`.
    wanted = {1: 12.706204736174694, 2: 4.302652729749462, 5: 2.5705818356363146, 30: 2.0422724563012373}
    for df, value in wanted.items():
        assert laws.t_quantile(0.975, df) == pytest.approx(value, rel=1e-11)
        assert laws.t_quantile(0.025, df) == pytest.approx(-value, rel=1e-11)
    assert laws.t_quantile(0.9, 3.7) == pytest.approx(1.5575658388615072, rel=1e-11)
    assert laws.normal_quantile(0.975) == pytest.approx(1.959963984540054, rel=1e-12)


def test_intervals_agree_with_those_of_the_engines(forms: Any) -> None:
    # The engine tells the interval of a t test; a linear model of the same two groups has it too.
    test = answer(forms, "t test").student
    reach = laws.t_quantile(0.975, test.df) * test.se
    assert (test.difference - reach, test.difference + reach) == pytest.approx(test.interval, rel=1e-9)


def test_a_contrast_is_that_of_its_coefficients(forms: Any) -> None:
    model = answer(forms, "logistic")
    value, low, high = model.contrast({"age": 10.0})
    assert value == pytest.approx(10 * model["age"].estimate)
    one_low, one_high = model.interval("age")
    assert (low, high) == pytest.approx((10 * one_low, 10 * one_high))
    with pytest.raises(KeyError, match="there is no coefficient `agee`"):
        model["agee"]
    ridge = answer(forms, "logistic, ridge")
    assert ridge.interval("age") is None and "no standard errors" in repr(ridge)


def test_counts_add_up(forms: Any) -> None:
    table = answer(forms, "crosstab")
    shown = table.tables()[0].rows
    assert shown[-1][-1] == sum(table.cells)
    assert table.cell("placebo", "a") == shown[0][1]
    assert sum(count for _, count in table.counts.each()) == sum(table.cells)


def test_names_cannot_leave_their_cells(forms: Any) -> None:
    example = next(one for one in forms["examples"] if one["name"] == "crosstab")
    script = "<script>alert(1)</script>"
    finding = {**example["answer"]["finding"], "by": [script, "ward"], "levels": [[script, '"><img>'], ["a", "b", "c"]]}
    page = answers.read({**example["answer"], "finding": finding}, asked={}, missing={})._repr_html_()
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page
    survival = next(one for one in forms["examples"] if one["name"] == "survival by arm")
    curves = [{**one, "level": script} for one in survival["answer"]["finding"]["curves"]]
    finding = {**survival["answer"]["finding"], "curves": curves}
    page = answers.read({**survival["answer"], "finding": finding}, asked={"time": script}, missing={})._repr_html_()
    assert "<svg" in page and "<script" not in page


def test_survival_falls_and_can_be_read_at_a_time(forms: Any) -> None:
    found = answer(forms, "survival by arm")
    curve = found.curve("treated")
    told = [step.survival for step in curve.steps]
    assert told == sorted(told, reverse=True) and curve.at(0) == 1.0 and curve.at(1e9) == told[-1]
    with pytest.raises(KeyError):
        found.curve("nobody")


def test_frames_hold_every_row(forms: Any) -> None:
    pytest.importorskip("pandas")
    for example in forms["examples"]:
        found = answers.read(example["answer"], asked=example["analysis"], missing={})
        assert len(found.to_frame()) > 0, example["name"]
    frame = answer(forms, "logistic").to_frame()
    assert list(frame["term"]) == ["Intercept", "age", "arm[treated]"]
    assert frame["estimate"].dtype == float
    steps = answer(forms, "survival by arm").to_frame()
    assert set(steps["arm"]) == {"placebo", "treated"}


DRAWN = {
    "logistic": {},
    "linear": {},
    "cox": {},
    "logistic, ridge": {},
    "mixed": {},
    "histogram": {},
    "survival by arm": {},
    "meta-analysis": {},
    "propensity": {},
    "pca": {},
    "boost": {},
}


def test_drawings_show_what_was_found(forms: Any) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    for name in DRAWN:
        axes = answer(forms, name).plot()
        assert axes.get_xlabel() or axes.get_ylabel(), name
        pyplot.close("all")
    for what in ("roc", "calibration", "benefit"):
        answer(forms, "roc").plot(what=what)
        pyplot.close("all")
    labels = [one.get_text() for one in answer(forms, "logistic").plot().get_yticklabels()]
    assert labels == ["age", "arm[treated]"]
    # On axes of one's own, two answers side by side.
    _, (left, right) = pyplot.subplots(1, 2)
    assert answer(forms, "cox").plot(left) is left and answer(forms, "histogram").plot(right) is right
    pyplot.close("all")
    with pytest.raises(consilium.ConsiliumError, match="there is no drawing of a Crosstab"):
        answer(forms, "crosstab").plot()
    with pytest.raises(consilium.QuestionError, match="`what` is one of"):
        answer(forms, "roc").plot(what="pie")


def test_without_pandas_it_is_said_what_to_install(forms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtra, match="pip install"):
        answer(forms, "summary").to_frame()


@pytest.mark.parametrize(
    "address",
    ["http://hospital.example", "ftp://hospital.example", "hospital.example", "https://anna:secret@hospital.example"],
)
def test_an_address_that_would_show_a_password_is_refused(address: str) -> None:
    with pytest.raises(consilium.ConsiliumError) as raised:
        HttpsTransport(address)
    assert "secret" not in str(raised.value)
    assert HttpsTransport("http://127.0.0.1:8080/").address == "http://127.0.0.1:8080"
    assert HttpsTransport("https://[::1]:8443").address == "https://[::1]:8443"


def test_lists_and_data_sets_are_shown(trial: consilium.Dictionary) -> None:
    described = {"variables": [one.written() for one in trial]}
    sets = {
        "datasets": [
            {"name": "trial", "title": "A trial", "rows": 450, "since": "2026-11-23T00:00:00Z", "dictionary": described}
        ]
    }
    session = Node(reply(200, sets)).session()
    found = session.datasets()
    assert "A trial" in repr(found) and "450" in found._repr_html_()
    page = session.dataset("trial")._repr_html_()
    assert "placebo, treated" in page and "18 to 100" in page
    with pytest.raises(consilium.errors.NotFound):
        session.dataset("other")
