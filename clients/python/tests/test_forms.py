"""What the package writes and reads is what the engines read and write.

`forms.json` is checked by a Rust test too (`crates/statistics/tests/it/forms.rs`), which makes the
answers. `CONSILIUM_BLESS=1` writes questions and formulas anew.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

import consilium
from conftest import HERE
from consilium import answers, formula
from consilium.answers import decoding
from examples import CALLS, Notebook

FORMULAS = [
    ("linear", "bmi ~ age"),
    ("linear", "bmi ~ 1"),
    ("linear", "bmi ~ 0 + age"),
    ("linear", "bmi ~ age - 1"),
    ("linear", "bmi ~ -1 + age"),
    ("linear", "np.log(bmi) ~ np.log1p(falls) + numpy.sqrt(days)"),
    ("linear", "bmi ~ I(age**2) + I(age^3)"),
    ("linear", "bmi ~ `blood pressure` + Q('blood pressure'):age"),
    ("linear", "bmi ~ C(arm) * factor(ward)"),
    ("linear", "bmi ~ (age + arm + ward)^2"),
    ("linear", "bmi ~ (age + arm + ward)**3 - age:arm:ward"),
    ("linear", "bmi ~ ward / age"),
    ("linear", "bmi ~ age %in% ward"),
    ("linear", "bmi ~ (age + sex):arm"),
    ("linear", "bmi ~ age*arm*sex"),
    ("linear", "bmi ~ . - bmi_after - risk - share - days - falls - months"),
    ("logistic", "died ~ age + arm"),
    ("logistic", "logistic(died) ~ age"),
    ("logistic", "arm ~ age"),
    ("poisson", "falls ~ age + offset(log(days))"),
    ("negbin", "falls ~ age + offset(days)"),
    ("cox", "Surv(months, died) ~ age + strata(ward)"),
    ("cox", "Surv(months, died) ~ age + strata(site)"),
    ("cox", "cox(days, months, died) ~ arm"),
]


def bless() -> bool:
    return "CONSILIUM_BLESS" in os.environ


def sent(trial: consilium.Dictionary) -> Any:
    return [
        {"family": family, "written": text, "sent": str(formula.read(text, family, trial))} for family, text in FORMULAS
    ]


def test_formulas_are_sent_as_they_are_stored(trial: consilium.Dictionary) -> None:
    file = HERE / "formulas.json"
    if bless():
        file.write_text(json.dumps(sent(trial), indent=2, ensure_ascii=False) + "\n")
    assert json.loads(file.read_text()) == sent(trial)


def test_every_question_is_stored(forms: Any, trial: consilium.Dictionary) -> None:
    if bless():
        known = {example["name"]: example for example in forms["examples"]}
        forms["examples"] = [
            {"name": name, "analysis": call(Notebook(trial)).analysis, "answer": known.get(name, {}).get("answer")}
            for name, call in CALLS.items()
        ]
        (HERE / "forms.json").write_text(json.dumps(forms, indent=2, ensure_ascii=False) + "\n")
    assert [example["name"] for example in forms["examples"]] == list(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_a_question_is_written_and_its_answer_read_whole(name: str, forms: Any, trial: consilium.Dictionary) -> None:
    example = next(one for one in forms["examples"] if one["name"] == name)
    draft = CALLS[name](Notebook(trial))
    assert draft.analysis == example["analysis"]
    assert trial.only(draft.variables)["variables"], "the variables that it uses are known"

    answer = answers.read(example["answer"], asked=draft.analysis, missing={})
    assert type(answer) is draft.answer
    assert (answer.rows, answer.sites) == (example["answer"]["n"], 3)
    # Nothing of the finding is lost: what was read, written again, holds all of it.
    again = decoding.written(answer)
    for key, value in example["answer"]["finding"].items():
        if key != "kind":
            assert like(again[key], value), key

    # It can be shown.
    text, page = repr(answer), answer._repr_html_()
    assert f"{answer.rows:,} rows at 3 institutions" in text
    assert "<table" in page and "</div>" in page
    assert answer.tables()[0].rows


def like(read: Any, stored: Any) -> bool:
    """The same, but for fields that were absent and are `None`."""
    if isinstance(stored, dict):
        extra = [key for key in read if key not in stored]
        return all(read[key] is None or read[key] == [] for key in extra) and all(
            like(read[key], value) for key, value in stored.items()
        )
    if isinstance(stored, list):
        return len(read) == len(stored) and all(like(one, other) for one, other in zip(read, stored))
    return bool(read == stored)


def test_every_class_of_answers_has_an_example(forms: Any) -> None:
    seen = {example["answer"]["finding"]["kind"] for example in forms["examples"]}
    # A program runs in a node's sandbox alone.
    assert seen | {"program"} == set(answers.KINDS)
