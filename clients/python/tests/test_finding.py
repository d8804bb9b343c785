"""The catalogue, cohorts, SQL, programs, releases, noise: what is sent, what is read, what is refused."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest

import consilium
from conftest import ADDRESS, APPLICATION, Node, outcome, project_json, reply
from consilium import errors, queries
from consilium.criteria import (
    RXNORM,
    SNOMED,
    Cohort,
    age,
    alive,
    before,
    condition,
    encounter,
    medication,
    observation,
    same_encounter,
    sex,
    within,
)
from consilium.programs import Output
from consilium.transport import Request, Response


def told(name: str = "trial", **more: Any) -> Dict[str, Any]:
    variables = [
        {"name": "age", "kind": "number", "least": 18.0, "most": 100.0, "completeness": {"value": 90, "step": 5}},
        {"name": "arm", "kind": "category", "levels": ["placebo", "treated"], "levels_total": 2},
    ]
    people = {"about": 150, "step": 10, "threshold": 10, "margin": 11}
    given = {"name": name, "title": "A trial", "description": "People <b>", "people": people, "min_rows": 60}
    return {**given, "conditions": "", "contact": "", "mail": "", "variables": variables, "variables_total": 2, **more}


def catalogue(*holders: str, **more: Any) -> Dict[str, Any]:
    held = [{"institution": one, "heard": None, "unreached_since": None, "dataset": told(**more)} for one in holders]
    away = [{"institution": "south", "heard": None, "unreached_since": "2026-11-23T00:00:00Z"}]
    return {"institution": "north", "datasets": [{"name": "trial", "holders": held}], "members": away}


def test_levels_that_a_holder_keeps_to_itself_are_asked_for_there() -> None:
    arm = {"name": "arm", "kind": "category"}
    node = Node(reply(200, catalogue("north", variables=[arm], variables_total=1)))
    entry = node.session().catalog()["trial"]
    with pytest.raises(errors.NotFound, match="whole dictionary"):
        _ = entry.dictionary


def test_a_project_is_applied_for_out_of_the_catalogue() -> None:
    node = Node(
        reply(200, catalogue("north", "east", "south", keywords=["oncology"])),
        reply(201, {"id": "p1"}),
        reply(200, {"projects": [project_json()]}),
    )
    found = node.session().catalog()
    entry = found["trial"]
    assert entry.holders == ("north", "east", "south") and "south" in repr(found)
    assert [len(found.find(words)) for words in ("oncology trial", "cardiology", "ARM")] == [1, 0, 1]
    assert len(found.find(institution="west")) == 0 and len(found.find(variable="ag")) == 1
    assert entry.dictionary["arm"].levels == ("placebo", "treated") and entry.dictionary["age"].max == 100
    assert "<b>" not in entry._repr_html_() and "90 %" in entry.holding("east")._repr_html_()
    with pytest.raises(errors.NotFound, match="`trial`"):
        found["trail"]
    project = entry.apply(title="Who survives", purpose="To learn")
    sent = node.bodies()[1]
    assert sent["holders"] == ["north", "east", "south"] and sent["aggregators"] == ["east", "south"]
    assert (sent["min_rows"], sent["min_sites"]) == (60, 3)
    # A node that knows nothing of these is not told of them.
    assert not {"privacy", "amends", "programs", "release"} & set(sent)
    assert project.state == "waits for north, east, south"


def test_a_dictionary_that_is_cut_short_is_not_taken() -> None:
    entry = Node(reply(200, catalogue("east", variables_total=600))).session().catalog()["trial"]
    with pytest.raises(errors.NotFound, match="ask one of east"):
        _ = entry.dictionary


def test_a_project_elsewhere_is_asked_by_the_dictionary_of_the_catalogue() -> None:
    node = Node(
        reply(200, {"projects": [project_json("approve", "approve", "approve")]}),
        reply(200, {"datasets": []}),
        reply(200, catalogue("east", "south")),
        reply(201, {"id": "q1"}),
    )
    assert node.session().project("p1").summary("age").id == "q1"
    assert node.bodies()[3]["dictionary"]["variables"] == [{"name": "age", "kind": "number", "min": 18.0, "max": 100.0}]


def test_a_twin_is_columns_and_may_be_absent() -> None:
    table = Response(200, {}, b"age,arm\n70,treated\n,placebo\n")
    node = Node(reply(200, catalogue("north")), reply(200, {"epsilon": 1.0, "rows": 2, "pairs": []}), table)
    twin = node.session().catalog()["trial"].twin()
    assert twin.columns == {"age": [70.0, None], "arm": ["treated", "placebo"]} and twin.epsilon == 1.0
    assert node.requests[2].path == "/research/catalog/trial/twin.csv"
    assert "not for results" in repr(twin) and len(twin) == 2
    pandas = pytest.importorskip("pandas")
    assert isinstance(twin.to_frame(), pandas.DataFrame)
    node = Node(reply(200, catalogue("north")), outcome(404, "not-found", "there is no such interaction"))
    with pytest.raises(errors.NotFound, match="no synthetic twin of `trial`"):
        node.session().catalog()["trial"].twin()


def test_criteria_are_written_as_nodes_read_them() -> None:
    diabetes = condition(SNOMED, "44054006", called="type 2 diabetes")
    high = observation("http://loinc.org", "8480-6").value(at_least=140, unit="mm[Hg]")
    cohort = (
        Cohort(diabetes.first())
        .named("insulin", medication(RXNORM, "5856").first(), before())
        .step("adults", age(at_least=18) & ~sex("male") & alive())
        .step("high", high.occurs(within(30, 0), at_least=2) | encounter().never(before(1, 90, of="insulin")))
        .step("met", high.first_ever(same_encounter()))
    )
    sent = cohort.written()
    fits = {"kind": "condition", "called": "type 2 diabetes", "codes": [f"{SNOMED}|44054006"]}
    assert sent["index"] == {"pick": "first", "event": fits}
    assert sent["named"][0]["when"] == [{"before": {"of": "index", "at-least": 1}}]
    adults = sent["steps"][0]["criterion"]
    assert adults == {"all": [{"age": {"at-least": 18}}, {"none": [{"sex": ["male"]}]}, {"alive": {}}]}
    either = sent["steps"][1]["criterion"]["any"]
    assert either[0]["event"]["occurs"] == {"at-least": 2}
    assert either[0]["event"]["event"]["value"] == [{"is": "at-least", "number": 140.0, "unit": "mm[Hg]"}]
    assert either[0]["event"]["when"] == [{"within": {"of": "index", "days-before": 30, "days-after": 0}}]
    assert either[1]["event"] == {
        "event": {"kind": "encounter"},
        "occurs": "never",
        "when": [{"before": {"of": "insulin", "at-least": 1, "at-most": 90}}],
    }
    assert "type 2 diabetes → adults" in repr(cohort)


@pytest.mark.parametrize(
    "write, what",
    [
        (lambda: Cohort().written(), "an index event or a step"),
        (lambda: Cohort().step(" ", alive()), "a label"),
        (lambda: Cohort().named("index", encounter().first()), "is taken"),
        (lambda: Cohort().named("a", encounter().any()), "first or the last"),
        (lambda: condition(SNOMED), "name codes"),
        (lambda: condition("", "1"), "code system"),
        (lambda: condition(SNOMED, "1").value(above=1), "only observations"),
        (lambda: age(at_least=80, at_most=20), "greater than the most"),
        (lambda: age(), "name a bound"),
        (lambda: sex("woman"), "`female`"),
        (lambda: before(5, 1), "greater than the most"),
        (lambda: alive() and sex("female"), "by `&`"),
        (lambda: Node().session().count(Cohort().step("a", alive()), epsilon=0.1), "from 0.2"),
        (lambda: Node().session().count(Cohort().step("a", alive()), scope="all"), "`own`"),
    ],
)
def test_criteria_that_cannot_be_right_are_refused_here(write: Any, what: str) -> None:
    with pytest.raises(consilium.QuestionError, match=what):
        write()


BUDGET = {"left": 9.0, "of": 10.0, "everybody": {"left": 49.0, "of": 50.0}, "until": "2026-12-03T00:00:00Z"}


def test_counts_are_read_with_their_errors_and_who_is_missing() -> None:
    steps: List[Dict[str, Any]] = [
        {"row": "everybody", "people": 200, "error": 20},
        {"row": "step", "label": "<i>women</i>", "people": 100, "error": 17},
        {"row": "step", "label": "rare", "fewer_than": 10, "error": 14},
    ]
    here = [{"people": 200}, {"people": 100}, {"fewer_than": 10}]
    institutions = [
        {"id": "north", "name": "North", "status": "answered", "counted": "x", "again": True, "steps": here},
        {"id": "east", "name": "East", "status": "refused", "reason": "budget", "message": "the budget is spent"},
    ]
    distinct = {"people": 150, "standard_error": 5.0, "low": 140, "high": 160, "sum": 200, "institutions": 1}
    given = {"sentences": ["women: sex is female."], "epsilon": 1.0, "steps": steps, "distinct": distinct}
    node = Node(reply(200, {**given, "institutions": institutions, "budget": BUDGET}))
    counted = node.session().count(Cohort().step("women", sex("female")))
    assert node.bodies()[0]["scope"] == "network" and "dry" not in node.bodies()[0]
    assert counted.people is None and counted.step("rare").fewer_than == 10
    text, page = repr(counted), counted._repr_html_()
    assert "not in it: East: the budget is spent" in text and "150 different people (95 %: 140 to 160)" in text
    assert "50.0 %" in text and "fewer than 10" in text
    assert "<svg" in page and "<i>" not in page and "too few to tell" in page
    node = Node(outcome(403, "forbidden", "the budget is spent until December", "budget"))
    with pytest.raises(consilium.Refused) as raised:
        node.session().count(Cohort().step("women", sex("female")))
    assert raised.value.rule == "budget"


def test_attrition_is_drawn() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    counts = (("all", consilium.cohorts.Count(200, None, 20)), ("few", consilium.cohorts.Count(None, 10, 14)))
    counted = consilium.Counted((), 1.0, counts, None, (), consilium.Budget.read(BUDGET))
    ax = counted.plot()
    assert [one.get_text() for one in ax.get_yticklabels()] == ["all", "few"]
    rows = queries.Rows({"gender": ["female", "male"], "people": [33, 36]}, 10, "")
    assert [bar.get_height() for bar in rows.plot().patches] == [33, 36]


@pytest.mark.parametrize(
    "status, message, rule, kind, place",
    [
        (403, "rule not_aggregated, select: only aggregates are shown", None, consilium.QueryWouldShow, "select"),
        (400, "rule unknown, `accounts`: there is no such table", "unknown", consilium.QueryFaulty, "`accounts`"),
        (403, "rule limit, query: the query needs more time", "limit", consilium.QueryTooCostly, ""),
        (403, "rule limit, limit: LIMIT belongs to the answer", "limit", consilium.QueryWouldShow, "limit"),
        (403, "the project does not allow the analysis `sql`", "analysis", consilium.Refused, None),
        (409, "the project is not approved by `east`", None, errors.NotReady, None),
    ],
)
def test_a_query_that_is_refused_says_why_and_what_to_write(
    status: int, message: str, rule: Any, kind: Any, place: Any
) -> None:
    node = Node(
        reply(200, {"projects": [project_json("approve", "approve", "approve")]}),
        outcome(status, "forbidden", message, rule),
    )
    with pytest.raises(kind) as raised:
        node.session().project("p1").sql("SELECT * FROM patient")
    error = raised.value
    assert type(error) is kind and error.refused_by == ADDRESS and error.status == status
    if place is not None:
        assert error.place == place and error.advice in str(error) and error.advice
        assert str(error).count("rule ") == 1


def test_the_answer_to_a_query_is_columns() -> None:
    columns = [{"name": "gender", "values": ["female", None]}, {"name": "people", "values": [33, 36]}]
    node = Node(reply(200, {"projects": [project_json()]}), reply(200, {"columns": columns, "rows": 2, "min_cell": 10}))
    rows = node.session().project("p1").sql("SELECT …")
    assert rows["people"] == [33, 36] and list(rows) == [("female", 33), (None, 36)] and len(rows) == 2
    assert "fewer than 10" in repr(rows)
    assert rows.as_of is None and "as they were" not in repr(rows)
    with pytest.raises(KeyError, match="gender, people"):
        rows["age"]


def test_when_the_records_were_as_they_were_asked_is_told() -> None:
    given = {"columns": [{"name": "people", "values": [33]}], "rows": 1, "min_cell": 10}
    node = Node(reply(200, {"projects": [project_json()]}), reply(200, {**given, "as_of": "2026-11-23T09:00:00Z"}))
    assert "as they were at 2026-11-23T09:00:00Z" in repr(node.session().project("p1").sql("SELECT …"))


HASH = "ab" * 32
PROGRAM = {"hash": HASH, "name": "mean", "version": "1.0.0", "bytes": 10, "variables": ["age"], "rounds": 1}


def test_a_program_is_handed_in_declared_and_asked(trial: consilium.Dictionary) -> None:
    node = Node(reply(201, PROGRAM))
    program = node.session().upload(b"\0asm")
    assert node.requests[0].body == b"\0asm" and node.requests[0].headers["Content-Type"] == "application/wasm"
    declared = program.declared(rows=1000, outputs=[Output("n", bound=1000, is_count=True)])
    assert declared["variables"] == ["age"] and declared["outputs"][0]["bound"] == 1000.0
    given = project_json("approve", "approve", "approve")
    given["application"] = {**APPLICATION, "programs": [{**PROGRAM, **declared}]}
    result = {"kind": "program", "program": HASH, "name": "mean", "version": "1.0.0", "result": {"mean": 61.5}}
    answer = {"n": 240, "dropped": 0, "sites": 3, "rounds": 1, "finding": result}
    node = Node(
        reply(200, {"projects": [given]}),
        reply(201, {"id": "q1"}),
        reply(200, {"state": "answered", "rounds": 1, "missing": {}, "answer": answer}),
    )
    project = node.session().project("p1")
    project.dictionary = trial
    found = project.program("mean", "by=arm").answer(show=False)
    sent = node.bodies()[1]
    assert sent["analysis"] == {
        "kind": "program",
        "program": HASH,
        "parameters": "by=arm",
        "fuel": 1_000_000_000,
        "memory": 64 * 1024 * 1024,
    }
    assert sent["most_rows"] == 1000
    assert found.result == {"mean": 61.5} and "61.5" in repr(found)
    with pytest.raises(consilium.QuestionError, match="it allows `mean`"):
        project.program("median")


def test_noise_is_asked_for_and_its_cost_told_before(forms: Any, trial: consilium.Dictionary) -> None:
    approved = {"projects": [project_json("approve", "approve", "approve")]}
    summary = next(one["answer"] for one in forms["examples"] if one["name"] == "summary")
    node = Node(
        reply(200, approved),
        reply(200, {"cost": 0.5, "left": {"account": 1.5}, "error": [1.2, 3]}),
        reply(201, {"id": "q1"}),
        reply(200, {"state": "answered", "missing": {}, "answer": {**summary, "noise": {"epsilon": 0.5}}}),
    )
    project = node.session().project("p1")
    project.dictionary = trial
    draft = project.draft.summary("age")
    assert len(node.requests) == 1 and "not sent" in repr(draft)
    with pytest.raises(consilium.QuestionError, match="draft"):
        draft.standing()
    expected = draft.expected(epsilon=0.5)
    assert node.bodies()[1]["noise"] == {"epsilon": 0.5} and node.bodies()[1]["dry"] is True
    assert expected["cost"] == 0.5 and "account 1.5" in repr(expected)
    answer = project.with_noise(0.5).summary("age").answer(show=False)
    assert node.bodies()[2]["noise"] == {"epsilon": 0.5} and "dry" not in node.bodies()[2]
    assert answer.noise == {"epsilon": 0.5} and "noise for privacy: ε 0.5" in repr(answer)
    with pytest.raises(consilium.QuestionError, match="greater than 0"):
        project.with_noise(0)


def test_a_node_that_is_older_says_so(trial: consilium.Dictionary) -> None:
    old = outcome(400, "structure", "unknown field `noise`, expected one of `dictionary`, `most_rows`, `analysis`")
    node = Node(reply(200, {"projects": [project_json()]}), old)
    project = node.session().project("p1")
    project.dictionary = trial
    with pytest.raises(consilium.NotSupported, match="older"):
        project.draft.summary("age").expected(0.5)
    node.steps = [reply(201, {"id": "p2"}), reply(200, {"projects": [{**project_json(), "id": "p2"}]})]
    project.amend(days=30, purpose="To learn more")
    sent = node.bodies()[-2]
    assert (sent["amends"], sent["purpose"], sent["title"]) == ("p1", "To learn more", "Who survives")


def test_an_amendment_of_a_project_with_noise_says_so_as_an_application_does() -> None:
    noisy = project_json()
    noisy["application"] = {**noisy["application"], "privacy": {"micro_epsilon": 2_500_000}}
    node = Node(
        reply(200, {"projects": [noisy]}),
        reply(201, {"id": "p2"}),
        reply(200, {"projects": [{**noisy, "id": "p2"}]}),
    )
    project = node.session().project("p1")
    assert "epsilon 2.5" in repr(project)
    project.amend(days=30, purpose="To learn more")
    assert node.bodies()[1]["privacy"] == {"epsilon": 2.5}


def test_a_question_is_withdrawn_and_a_release_read(forms: Any) -> None:
    example = next(one for one in forms["examples"] if one["name"] == "logistic")
    told = {
        "title": "Who survives",
        "project": "p1",
        "coordinator": "north",
        "missing": ["west"],
        "answer": json.dumps(example["answer"]),
        "rules": json.dumps({"min_cell": 10}),
        "findings": ["part 1: no rule is broken"],
        "checks": [{"name": "A steward", "reason": "fine", "at": "2026-11-23T00:00:00Z"}],
        "inquiry": {"text": json.dumps({"question": json.dumps({"analysis": example["analysis"]})})},
        "software": "consilium 0.1.0",
        "at": "2026-11-23T00:00:00Z",
    }

    def archive(request: Request) -> Response:
        assert request.path == "/research/releases/r1/crate"
        return Response(200, {}, b"PK")

    standing = {"state": "answered", "rounds": 6, "missing": {}, "answer": example["answer"], "release": "r1"}
    node = Node(
        reply(200, standing),
        reply(200, {"id": "r1", "sealed": {}, "release": told}),
        archive,
        outcome(409, "conflict", "the question has ended"),
    )
    question = node.session().question("q1")
    release = question.release()
    assert isinstance(release.answer, consilium.answers.Model) and release.answer.ratio == "odds ratio"
    assert "not in it: site west" in repr(release.answer) and "r1" in release.citation and "A steward" in repr(release)
    assert release.crate() == b"PK"
    with pytest.raises(errors.NotReady, match="has ended"):
        question.withdraw()
    assert node.requests[-1].method == "DELETE" and node.requests[-1].path == "/research/questions/q1"


def test_a_list_tells_how_a_question_stands_and_the_answer_is_fetched(forms: Any) -> None:
    answer = next(one["answer"] for one in forms["examples"] if one["name"] == "logistic")
    listed = {"id": "q1", "project": "p1", "analysis": {"kind": "regression"}, "state": "answered", "rounds": 6}
    node = Node(
        reply(200, {"projects": [project_json()]}),
        reply(200, {"questions": [listed]}),
        reply(200, {**listed, "missing": {}, "answer": answer}),
    )
    assert node.session().project("p1").questions()[0].answer(show=False).rows == answer["n"]


def test_a_network_predicts_by_itself(forms: Any) -> None:
    def network(name: str) -> Any:
        example = next(one for one in forms["examples"] if one["name"] == name)
        return consilium.answers.read(example["answer"], asked=example["analysis"], missing={})

    chance = network("perceptron").predict({"age": 70, "arm": "treated"})
    assert 0 < chance < 1 and chance != network("perceptron").predict({"age": 20, "arm": "treated"})
    classes = network("perceptron, classes").predict({"age": 70, "bmi": 22})
    assert set(classes) == {"a", "b", "c"} and sum(classes.values()) == pytest.approx(1)
    linear = network("perceptron, linear")
    centre = {one.name: one.centre for one in linear.columns}
    flat = {"age": centre["age"], "ward": "a"}
    by_hand = linear.layers[0].biases[0] + sum(
        weight * (0.0 if one.name == "age" else -one.centre / one.scale)
        for weight, one in zip(linear.layers[0].weights[0], linear.columns)
    )
    assert linear.predict(flat) == pytest.approx(linear.outcome[0] + linear.outcome[1] * by_hand)
    with pytest.raises(consilium.QuestionError, match="no `arm`"):
        network("perceptron").predict({"age": 70})
