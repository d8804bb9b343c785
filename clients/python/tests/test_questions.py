"""Asking, watching, coming back, and what is said when there is no answer."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from typing import Any, Dict, List

import pytest

import consilium
from conftest import ADDRESS, SECRET, Node, outcome, project_json, reply
from consilium import progress
from consilium.errors import Busy, Invalid, NodeFailed, NotReady, NotSignedIn, SecondFactorNeeded, Unreachable

DATASETS = {"datasets": [{"name": "trial", "title": "A trial", "rows": 80, "since": "2026-11-23T00:00:00Z"}]}


def datasets(trial: consilium.Dictionary) -> Dict[str, Any]:
    described = {"variables": [{**one.written(), "description": "for people"} for one in trial]}
    return {"datasets": [{**DATASETS["datasets"][0], "dictionary": described}]}


def standing(state: str, rounds: int, **more: Any) -> Dict[str, Any]:
    asked = {"id": "q1", "project": "p1", "analysis": {"kind": "regression", "formula": "logistic(died) ~ age + arm"}}
    return {**asked, "state": state, "rounds": rounds, "missing": {}, **more}


def answered(forms: Any, **more: Any) -> Dict[str, Any]:
    found = next(one["answer"] for one in forms["examples"] if one["name"] == "logistic")
    return standing("answered", 6, answer=found, **more)


class Watched:
    def __init__(self) -> None:
        self.shown: List["tuple[float, str]"] = []
        self.closed = 0

    def show(self, part: float, text: str) -> None:
        self.shown.append((part, text))

    def close(self) -> None:
        self.closed += 1


def asked(node: Node, trial: consilium.Dictionary) -> "consilium.Question[consilium.answers.Model]":
    node.steps = [
        reply(200, {"projects": [project_json()]}),
        reply(200, datasets(trial)),
        reply(201, {"id": "q1"}),
        *node.steps,
    ]
    return node.session().project("p1").logistic("died ~ age + arm")


def test_a_question_is_asked_watched_and_answered(forms: Any, trial: consilium.Dictionary) -> None:
    node = Node(
        reply(200, standing("in-progress", 1)), reply(200, standing("in-progress", 4)), reply(200, answered(forms))
    )
    question = asked(node, trial)
    sent = node.bodies()[2]
    assert node.requests[2].path == "/research/projects/p1/questions"
    assert sent["analysis"] == {"kind": "regression", "formula": "logistic(died) ~ age + arm"}
    # Only what is used travels, and not what is said of it.
    assert [one["name"] for one in sent["dictionary"]["variables"]] == ["died", "age", "arm"]
    assert all("description" not in one for one in sent["dictionary"]["variables"])
    assert sent["most_rows"] >= 4 * 80

    watched = Watched()
    answer = question.answer(show=watched)
    assert answer["arm[treated]"].estimate < 0
    assert answer.family == "logistic" and answer.ratio == "odds ratio"
    low, high = answer.interval("age") or (0.0, 0.0)
    assert low < answer["age"].estimate < high
    parts = [part for part, _ in watched.shown]
    assert parts == sorted(parts) and parts[-1] == 1.0 and parts[0] < 0.5 and watched.closed == 1
    # The node is asked once the question has ended, and never again.
    before = len(node.requests)
    assert question.answer() == answer and len(node.requests) == before


def test_a_closed_notebook_goes_on_by_the_id(forms: Any) -> None:
    node = Node(reply(200, standing("in-progress", 2)), reply(200, answered(forms)))
    question = node.session().question("q1")
    assert "logistic(died) ~ age + arm" in repr(question) and question.project_id == "p1"
    answer = question.answer(show=False)
    assert isinstance(answer, consilium.answers.Model) and answer.family == "logistic"


def test_an_id_cannot_lead_elsewhere() -> None:
    node = Node(outcome(404, "not-found", "there is no such resource, or you may not see it"))
    with pytest.raises(consilium.errors.NotFound):
        node.session().question("../auth/session?x=")
    assert node.requests[0].path.startswith("/research/questions/..%2Fauth%2Fsession%3Fx%3D?wait=")


def test_the_questions_of_a_project_are_listed() -> None:
    node = Node(
        reply(200, {"projects": [project_json("approve", "approve", "approve")]}),
        reply(200, {"questions": [standing("answered", 6), standing("in-progress", 1)]}),
    )
    project = node.session().project("p1")
    assert project.is_approved and project.state == "approved"
    questions = project.questions()
    assert [one.id for one in questions] == ["q1", "q1"]
    assert "logistic(died)" in repr(questions) and "<table" in questions._repr_html_()


def test_a_question_without_an_answer_says_which_rule_and_who() -> None:
    missing = {"east": "rule no-dataset: the data set is not here", "south": "did not answer in time"}
    reason = "rule min_rows: the answer rests on fewer than 50 rows"
    node = Node(reply(200, standing("failed", 3, reason=reason, missing=missing)))
    with pytest.raises(consilium.NoAnswer) as raised:
        node.session().question("q1").answer(show=False)
    error = raised.value
    assert (error.rule, error.question_id) == ("min_rows", "q1")
    assert error.missing["east"].rule == "no-dataset" and error.missing["south"].rule is None
    assert str(error) == (
        "rule min_rows: the answer rests on fewer than 50 rows\n"
        "  site east: rule no-dataset: the data set is not here\n"
        "  site south: did not answer in time"
    )


def test_an_aggregator_that_refuses_is_named() -> None:
    reason = "the aggregator `east` refuses: rule overlap: the sum would show what a site gave"
    error = consilium.NoAnswer(reason, question_id="q1", missing={})
    assert (error.rule, error.refused_by, str(error)) == ("overlap", "east", reason)
    error = consilium.NoAnswer("a golden rule stands against it", question_id="q1", missing={})
    assert (error.rule, error.refused_by) == (None, None)


def test_a_node_that_answers_at_once_is_not_asked_all_the_time(forms: Any) -> None:
    node = Node(*[reply(200, standing("being-checked", 5))] * 6, reply(200, answered(forms)))
    node.patience = 0.0
    question = node.session().question("q1")
    question.answer(show=False)
    assert node.clock.slept == [1.0] * 5


def test_who_is_not_in_an_answer_stands_beside_it(forms: Any) -> None:
    missing = {"east": "rule dictionary: the data set has another variable `age`"}
    node = Node(reply(200, answered(forms, missing=missing)))
    answer = node.session().question("q1").answer(show=False)
    assert "not in it: site east: rule dictionary: the data set has another variable `age`" in repr(answer)
    assert "site east" in answer._repr_html_()


def test_waiting_has_a_deadline_and_the_question_goes_on() -> None:
    node = Node(reply(200, standing("in-progress", 1)))
    question = node.session().question("q1")
    with pytest.raises(consilium.DeadlinePassed) as raised:
        question.answer(deadline_s=20, show=False)
    assert raised.value.question_id == "q1" and "session.question('q1')" in str(raised.value)
    assert len(node.requests) <= 12


def test_a_broken_connection_is_waited_out_until_the_deadline(forms: Any) -> None:
    broken = Unreachable("no connection to the node: refused", refused_by=ADDRESS, may_have_happened=True)
    node = Node(reply(200, standing("in-progress", 1)), *[broken] * 5, reply(200, answered(forms)))
    answer = node.session().question("q1").answer(show=False)
    assert answer.rows and len(node.clock.slept) == 5
    assert max(node.clock.slept) <= 8.0 and sum(node.clock.slept) < 30

    node = Node(reply(200, standing("in-progress", 1)), broken)
    question = node.session().question("q1")
    with pytest.raises(Unreachable):
        question.answer(deadline_s=100, show=False)
    assert 60 <= sum(node.clock.slept) <= 200


def test_a_question_is_never_asked_twice_by_itself(trial: consilium.Dictionary) -> None:
    unclear = Unreachable("the node did not answer: TimeoutError", refused_by=ADDRESS, may_have_happened=True)
    node = Node(reply(200, {"projects": [project_json()]}), reply(200, datasets(trial)), unclear)
    with pytest.raises(Unreachable) as raised:
        node.session().project("p1").logistic("died ~ age")
    assert raised.value.may_have_happened and len(node.requests) == 3
    # Where it was not taken for certain, it is sent again: nobody was reached, or the node said so.
    refused = Unreachable("no connection to the node: refused", refused_by=ADDRESS, may_have_happened=False)
    busy = outcome(503, "throttled", "the node is busy", retry_after="3")
    node = Node(
        reply(200, {"projects": [project_json()]}), reply(200, datasets(trial)), refused, busy, reply(201, {"id": "q2"})
    )
    assert node.session().project("p1").logistic("died ~ age").id == "q2"
    assert node.clock.slept[1] >= 3.0


def test_a_node_that_stays_busy_is_given_up() -> None:
    node = Node(outcome(503, "throttled", "the node is busy", retry_after="1"))
    with pytest.raises(Busy) as raised:
        node.session().projects()
    assert raised.value.refused_by == ADDRESS and sum(node.clock.slept) <= 60


@pytest.mark.parametrize(
    "answer, kind",
    [
        (outcome(400, "value", "there is no variable `agee`"), Invalid),
        (outcome(401, "login", "sign in first", "no-session"), NotSignedIn),
        (outcome(403, "forbidden", "the project does not allow the analysis `pca`"), consilium.Refused),
        (outcome(404, "not-found", "there is no such resource, or you may not see it"), consilium.errors.NotFound),
        (outcome(409, "conflict", "the project is not approved by `east`"), NotReady),
        (outcome(500, "exception", "the node failed; its log says why"), NodeFailed),
        (reply(418, "tea"), NodeFailed),
        (reply(200, None), AttributeError),
    ],
)
def test_refusals_are_told_by_kind(answer: Any, kind: Any) -> None:
    if kind is AttributeError:
        assert Node(answer).session()._door.call("GET", "/x") is None
        return
    with pytest.raises(kind) as raised:
        Node(answer).session().projects()
    error = raised.value
    assert error.refused_by == ADDRESS and error.status == answer.status
    if kind is NotSignedIn:
        assert error.rule == "no-session" and "rule no-session" in str(error)


def test_a_fresh_code_is_asked_for_once() -> None:
    challenge = 'Bearer error="insufficient_user_authentication", max_age="300"'
    stale = outcome(401, "login", "prove the second factor again", "second-factor-old", www_authenticate=challenge)
    application = dict(
        title="Who survives",
        purpose="To learn",
        dataset="trial",
        holders=["north", "east"],
        aggregators=["north", "east"],
    )
    node = Node(stale)
    with pytest.raises(SecondFactorNeeded):
        node.session().apply(**application)

    node = Node(
        stale, reply(200, {}), reply(201, {"id": "p1"}), reply(200, {"projects": [project_json("approve", "refuse")]})
    )
    session = node.session()
    session.code = lambda: " 123456 "
    project = session.apply(**application)
    assert [one.path for one in node.requests[:3]] == ["/research/projects", "/auth/step-up", "/research/projects"]
    assert node.bodies()[1] == {"totp": "123456"}
    assert project.state == "not approved: east (refuse)" and not project.is_approved
    assert "waits" in repr(project)


def test_signing_in_and_out() -> None:
    node = Node(reply(200, {"token": SECRET, "expires_in": 3600}), reply(204))
    with consilium.sign_in(
        ADDRESS, "anna", password="secret words", code="123456", transport=node, clock=node.clock
    ) as session:
        assert node.bodies() == [{"username": "anna", "password": "secret words", "totp": "123456"}]
        assert repr(session) == f"<Session of anna at {ADDRESS}>"
    assert node.requests[1].method == "DELETE" and node.requests[1].headers["Authorization"] == f"Bearer {SECRET}"
    assert "ended" in repr(session)


def test_nothing_shows_a_token_a_password_or_an_answer(
    forms: Any, trial: consilium.Dictionary, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    estimate = answered(forms)["answer"]["finding"]["coefficients"][1]["estimate"]
    shown: List[str] = []
    node = Node(reply(200, {"token": SECRET, "expires_in": 3600}), reply(200, answered(forms)))
    session = consilium.sign_in(
        ADDRESS, "anna", password="secret words", code="123456", transport=node, clock=node.clock
    )
    question = session.question("q1")
    shown += [repr(session), repr(session._door.token), repr(question), repr(question.standing()), repr(node.requests)]
    with pytest.raises(TypeError):
        pickle.dumps(session._door.token)
    for refusal in (
        outcome(401, "login", "sign in first"),
        Unreachable("no connection", refused_by=ADDRESS, may_have_happened=False),
    ):
        node = Node(reply(200, {"token": SECRET, "expires_in": 1}), refusal)
        session = consilium.sign_in(
            ADDRESS, "anna", password="secret words", code="123456", transport=node, clock=node.clock
        )
        try:
            session.projects()
        except consilium.ConsiliumError as error:
            trace = traceback.TracebackException.from_exception(error)
            shown += [repr(error), str(error), repr(vars(error)), *trace.format()]
    broken = {**answered(forms)}
    broken["answer"] = {**broken["answer"], "finding": {**broken["answer"]["finding"], "residual_df": "many"}}
    with pytest.raises(NodeFailed) as raised:
        Node(reply(200, broken)).session().question("q1").answer(show=False)
    shown += [repr(raised.value), caplog.text]
    for text in shown:
        for secret in (SECRET, "secret words", "123456", str(estimate)[:8]):
            assert secret not in text, text
    assert "GET /research/questions/q1: 200" in caplog.text


def test_an_unknown_kind_of_finding_is_handed_on(forms: Any) -> None:
    given = answered(forms)
    given["answer"] = {**given["answer"], "finding": {"kind": "of-tomorrow", "weights": [1.0]}}
    answer = Node(reply(200, given)).session().question("q1").answer(show=False)
    assert answer.finding["weights"] == [1.0] and "`of-tomorrow`" in repr(answer)
    # A newer node may say more of what is known.
    given = answered(forms)
    given["answer"]["finding"] = {**given["answer"]["finding"], "robust": True}
    assert isinstance(Node(reply(200, given)).session().question("q1").answer(show=False), consilium.answers.Model)


def test_a_line_of_progress_is_written_over() -> None:
    stream = io.StringIO()
    line = progress.Line(stream)
    line.show(0.5, "in-progress, 3 rounds; 4 s")
    line.show(1.0, "answered")
    line.close()
    first, second = stream.getvalue().strip("\r\n").split("\r")
    assert first == "[############............] in-progress, 3 rounds; 4 s"
    assert second.startswith("[########################] answered") and len(second) == len(first)
    assert "<b>" not in progress.bar(0.5, "<b>")
