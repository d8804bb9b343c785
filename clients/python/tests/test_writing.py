"""What is said of questions that cannot be right, before anything is sent."""

from __future__ import annotations

import random
import re
from typing import Any, Callable, FrozenSet, List, Set

import pytest

import consilium
from consilium import FormulaError, QuestionError, formula
from examples import Notebook

FAULTS = [
    ("logistic", "died ~ agee", "did you mean `age`?", "agee"),
    ("logistic", "died ~ bs(age, df=3)", "splines cannot be asked", "bs"),
    ("logistic", "ward ~ age", "has 3 levels", "ward"),
    ("linear", "arm ~ age", "`logistic` takes a category of two levels", "arm"),
    ("linear", "bmi ~ age + (1 | ward)", "`.mixed(", "|"),
    ("linear", "bmi ~ age +", "the name of a variable is missing", None),
    ("linear", "bmi age", "write `~`", "age"),
    ("linear", "bmi ~ I(age * 2)", "only powers can be asked", "*"),
    ("linear", "bmi ~ I(age^9)", "from 2 to 6", "9"),
    ("linear", "bmi ~ C(age)", "`age` is a number in the data set", "C("),
    ("linear", "bmi ~ C(arm, Treatment('treated'))", "the first level of the dictionary", ","),
    ("linear", "bmi ~ log(arm)", "cannot be transformed", "log"),
    ("linear", "bmi ~ age & arm", "`&` has no meaning here", "&"),
    ("linear", "bmi ~ strata(ward)", "strata belong to `cox`", "strata"),
    ("linear", "bmi ~ age + 2", "only `1` and `0`", "2"),
    ("linear", "bmi ~ age*arm*ward*sex*days", "at most 4 factors", None),
    ("logistic", "poisson(died) ~ age", "ask it by `.poisson(", "poisson"),
    ("logistic", "log(died) ~ age", "the outcome is taken as it is", "log"),
    ("cox", "months ~ age", "Surv(time, event)", None),
    ("cox", "Surv(months, died) ~ age - 1", "no intercept", None),
    ("cox", "Surv(arm, died) ~ age", "a time is a number", "arm"),
    ("poisson", "falls ~ age + offset(days) + offset(age)", "one `offset`", None),
    ("linear", "", "the name of a variable is missing", None),
]


@pytest.mark.parametrize("family, text, what, place", FAULTS)
def test_a_faulty_formula_is_explained_at_its_place(
    family: str, text: str, what: str, place: Any, trial: consilium.Dictionary
) -> None:
    with pytest.raises(FormulaError) as raised:
        formula.read(text, family, trial)
    error = raised.value
    assert what in str(error)
    if place is not None:
        assert text[error.place :].startswith(place), error
    line, marker = str(error).splitlines()[-2:]
    assert line.strip() == text and marker.index("^") == 4 + error.place


REFUSED: List["tuple[Callable[[Notebook], Any], str]"] = [
    (lambda p: p.crosstab("age"), "`age` is a number; a category is needed here"),
    (lambda p: p.crosstab(), "one to three categories"),
    (lambda p: p.summary("arm"), "`arm` is a category; a number is needed here"),
    (lambda p: p.summary(), "at least one variable"),
    (lambda p: p.histogram("age", bins=5, edges=[1, 2]), "not both"),
    (lambda p: p.histogram("age", edges=[2, 1]), "rise"),
    (lambda p: p.quantiles("age", probabilities=[1.5]), "between 0 and 1"),
    (lambda p: p.t_test("age ~ ward"), "has 3 levels"),
    (lambda p: p.t_test("age ~ arm * sex"), "joined by `+`"),
    (lambda p: p.rank_sum("age ~ arm", step=0), "greater than 0"),
    (lambda p: p.chi_squared("arm", "arm"), "two different"),
    (lambda p: p.correlation("age"), "at least 2"),
    (lambda p: p.kaplan_meier("months"), "Surv(time, event)"),
    (lambda p: p.kaplan_meier("months, died", by="age"), "a category is needed"),
    (lambda p: p.kaplan_meier("months, died", grid=[3, 2]), "rise"),
    (lambda p: p.meta_analysis("died ~ ward"), "has 3 levels"),
    (lambda p: p.meta_analysis("died ~ arm", effect="hazard"), "`effect` is one of"),
    (lambda p: p.kmeans("age", clusters=1), "2 to 100"),
    (lambda p: p.mixed("bmi ~ age:arm"), "joined by `+`"),
    (lambda p: p.propensity("ward", "died", ["age"]), "has 3 levels"),
    (lambda p: p.propensity("arm", "died", ["age"], estimand="att", stabilised=True), "`ate` only"),
    (lambda p: p.roc("died", "risk", thresholds=[1.0]), "between 0 and 1"),
    (lambda p: p.boost("died ~ age:arm"), "joined by `+`"),
    (lambda p: p.logistic("died ~ age", penalty=-1), "greater than 0"),
    (lambda p: p.logistic("died ~ age", mix=0.5), "belongs to a `penalty`"),
    (lambda p: p.cox("months, died", "age", ties="exact"), "`ties` is one of"),
    (lambda p: p.linear("bmi ~ age", weights="arm"), "a number is needed"),
]


@pytest.mark.parametrize("call, what", REFUSED)
def test_a_question_that_cannot_be_right_is_not_sent(
    call: Callable[[Notebook], Any], what: str, trial: consilium.Dictionary
) -> None:
    notebook = Notebook(trial)
    with pytest.raises(QuestionError, match=re.escape(what)):
        call(notebook)
    assert notebook.drafts == []


def terms_of(text: str, trial: consilium.Dictionary) -> "tuple[bool, Set[FrozenSet[str]]]":
    read = formula.read(text, "linear", trial)
    return read.intercept, {frozenset(term) for term in read.terms}


def test_products_are_written_out_as_patsy_does(trial: consilium.Dictionary) -> None:
    patsy = pytest.importorskip("patsy")
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draws = random.Random(seed)

    def part(depth: int) -> str:
        if depth == 0 or draws.random() < 0.3:
            return draws.choice(["age", "arm", "ward", "sex"])
        sign = draws.choice(["+", "+", "*", ":", "/", "-"])
        inner = f"{part(depth - 1)} {sign} {part(depth - 1)}"
        return f"({inner})" if draws.random() < 0.6 else inner

    compared = 0
    for _ in range(400):
        text = "bmi ~ " + part(3) + draws.choice(["", "", " - 1", " + 0"])
        try:
            ours = terms_of(text, trial)
        except FormulaError as error:
            assert "factors" in str(error), error
            continue
        theirs = {
            frozenset(one.name() for one in term.factors) for term in patsy.ModelDesc.from_formula(text).rhs_termlist
        }
        assert ours == (frozenset() in theirs, theirs - {frozenset()}), text
        compared += 1
    assert compared > 300


def test_a_formula_that_was_read_is_read_again_as_itself(trial: consilium.Dictionary) -> None:
    for text in ("log(bmi) ~ age * arm + I(age^2) - 1", "bmi ~ `blood pressure` + ward / sex + offset(log(days))"):
        once = formula.read(text, "linear", trial)
        assert str(formula.read(str(once), "linear", trial)) == str(once)


def test_any_text_is_read_or_refused_with_a_place(trial: consilium.Dictionary) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draws = random.Random(seed)
    pieces = [
        "bmi",
        "~",
        "age",
        "+",
        "-",
        "*",
        ":",
        "(",
        ")",
        "^",
        "2",
        "I(",
        "log(",
        "`",
        "'",
        ".",
        "|",
        ",",
        "0",
        "é",
        "C(",
    ]
    for _ in range(5000):
        text = " ".join(draws.choice(pieces) for _ in range(draws.randrange(1, 12)))
        for family in ("linear", "cox", "logistic"):
            try:
                formula.read(text, family, trial)
            except FormulaError as error:
                assert 0 <= error.place <= len(text)
