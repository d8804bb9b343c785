"""In the approved project: SQL, a two-stage regression, a network that people release, a withdrawal."""

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import consilium

given = json.load(sys.stdin)
told = {}


def signed_in(account):
    who = {"password": account["password"], "code": account["code"]}
    return consilium.sign_in(given["address"], account["username"], **who)


# All at once: a code is good for half a minute.
checkers = [signed_in(steward) for steward in given["stewards"]]
with signed_in(given["researcher"]) as session:
    project = session.project(given["project"]).wait(120, show=False)
    told["decided"] = sorted([one.by, one.choice, one.reason] for one in project.decisions)

    told["sql"] = project.sql("SELECT count(*) AS people FROM patient")["people"]
    told["refused"] = []
    for query in given["refused"]:
        try:
            project.sql(query)
        except consilium.QueryError as error:
            assert error.advice or error.rule == "query_size", error
            told["refused"].append([type(error).__name__, error.rule])
    assert "patient" in [view.name for view in project.views()]

    answer = project.two_stage("died ~ age + arm", family="logistic").answer(deadline_s=200, show=False)
    told["two-stage"] = {
        "n": answer.rows,
        "fitted": answer.fitted,
        "joint": [[one.name, one.estimate, one.se] for one in answer.joint],
        "pooled": [[one.name, one.estimate, one.se] for one in answer.coefficients],
    }
    print(repr(answer), file=sys.stderr)

    # Somebody looks at a network before anybody sees it: two stewards, who are not in the project.
    question = project.perceptron("died ~ age + arm", hidden=(2,), rounds=2, seed=7)
    while not question.standing(20).is_over and question.standing().state != "checking":
        pass
    for checker in checkers:
        output = checker.output(question.id)
        assert output.state == "waits" and output.answer.rows, output
        output.decide("release", "weights of few units tell of nobody")
        checker.sign_out()
    network = question.answer(deadline_s=60, show=False)
    told["perceptron"] = {
        "weights": [layer.weights for layer in network.layers],
        "n": network.measures.n,
        "chance": network.predict({"age": 70, "arm": "placebo"}),
    }

    release = question.release()
    told["checks"] = len(release.checks)
    assert release.answer == network or release.answer.finding == network.finding
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(release.save_crate(Path(folder) / "crate.zip")) as crate:
            told["crate"] = sorted(crate.namelist())
    published = question.publish("Who survives", "https://doi.org/10.1000/182")
    told["published"] = [one.address for one in published.publications]

    # Rounds without number, which nobody waits for.
    long = project.perceptron("died ~ age + arm", rounds=500)
    long.withdraw()
    try:
        long.answer(deadline_s=60, show=False)
    except consilium.NoAnswer as error:
        told["withdrawn"] = error.rule
    try:
        long.withdraw()
    except consilium.NotReady:
        told["again"] = "has ended"
    told["listed"] = [one.analysis["kind"] for one in project.questions()]

print(json.dumps(told))
