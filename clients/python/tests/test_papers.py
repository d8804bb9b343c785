"""What the README and the example teach can be done."""

from __future__ import annotations

import ast
import importlib.util
import re
from typing import Any

import pytest

import consilium
from conftest import HERE, Node, project_json, reply
from consilium import criteria, progress
from examples import Notebook

PACKAGE = HERE.parent
#: What the README's examples call.
SHOWN = (
    consilium.Session,
    consilium.Project,
    consilium.CouncilProject,
    consilium.Question,
    consilium.Catalogue,
    consilium.Entry,
    consilium.Cohort,
    consilium.Counted,
    consilium.Rows,
    consilium.Program,
    consilium.Twin,
    consilium.answers.Model,
    criteria.Event,
)


def test_every_question_of_the_readme_can_be_asked(trial: consilium.Dictionary) -> None:
    text = (PACKAGE / "README.md").read_text()
    table = text.split("## Questions")[1].split("Formulas are those")[0]
    calls = [one for one in re.findall(r"`([^`]+)`", table) if "(" in one and "…" not in one]
    notebook = Notebook(trial)
    for call in calls:
        eval(f"notebook.{call}", {"notebook": notebook})
    assert len(notebook.drafts) == len(calls) > 20
    named = set(re.findall(r"\b(\w+)\(", table))
    missing = [name for name in vars(consilium.asking.Asking) if name not in named and not name.startswith("_")]
    assert missing == ["dictionary", "ask"]


def test_what_the_readme_shows_is_there() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 5
    known = {name for one in SHOWN for name in dir(one)} | set(vars(criteria)) | set(vars(consilium))
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                assert name in known, name


def test_every_error_of_the_readme_is_there() -> None:
    table = (PACKAGE / "README.md").read_text().split("## When something is refused")[1].split("A password")[0]
    names = re.findall(r"`([A-Z]\w+)`", table)
    assert len(names) > 8
    for name in names:
        assert issubclass(getattr(consilium, name), consilium.ConsiliumError)


def test_the_example_prints_a_first_answer(
    forms: Any, trial: consilium.Dictionary, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.spec_from_file_location("first_answer", PACKAGE / "examples" / "first_answer.py")
    assert found is not None and found.loader is not None
    example = importlib.util.module_from_spec(found)
    found.loader.exec_module(example)
    answer = next(one["answer"] for one in forms["examples"] if one["name"] == "logistic")
    described = {"variables": [one.written() for one in trial]}
    sets = [{"name": "trial", "title": "A trial", "rows": 150, "since": "", "dictionary": described}]
    node = Node(
        reply(200, {"projects": [project_json("approve", "approve", "approve")]}),
        reply(200, {"datasets": sets}),
        reply(201, {"id": "q1"}),
        reply(200, {"state": "answered", "rounds": 6, "missing": {}, "answer": answer}),
        reply(204),
    )
    monkeypatch.setattr(consilium, "sign_in", lambda *_: node.session())
    monkeypatch.setattr("sys.argv", ["first_answer.py", "https://north.example", "anna", "died ~ age + arm"])
    assert example.main() == 0
    said = capsys.readouterr()
    assert "odds ratio" in said.out and "arm[treated]" in said.out and "asked: q1" in said.err

    monkeypatch.setattr("sys.argv", ["first_answer.py", "https://north.example", "anna", "died ~ agee"])
    node.steps = [
        reply(200, {"projects": [project_json("approve", "approve", "approve")]}),
        reply(200, {"datasets": sets}),
        reply(204),
    ]
    assert example.main() == 1
    assert "did you mean `age`?" in capsys.readouterr().err


def test_a_notebook_shows_one_bar() -> None:
    shown = []

    class Handle:
        def update(self, page: str) -> None:
            shown.append(page)

    def display(page: str, display_id: bool) -> Handle:
        assert display_id
        shown.append(page)
        return Handle()

    bar = progress.Bar(display, lambda page: page)
    bar.show(0.5, "in-progress, 3 rounds; site <b>")
    bar.close()
    assert len(shown) == 2 and 'value="0.500"' in shown[1] and "&lt;b&gt;" in shown[1]
    assert not progress.is_notebook()
