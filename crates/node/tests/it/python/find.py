"""A researcher finds data, counts people, and applies for a project."""

import json
import sys

import consilium
from consilium.criteria import Cohort, encounter, sex

given = json.load(sys.stdin)
told = {}
who = {"password": given["password"], "code": given["code"]}
with consilium.sign_in(given["address"], given["username"], **who) as session:
    catalogue = session.catalog().find("trial")
    entry = catalogue["trial"]
    told["holders"] = sorted(entry.holders)
    told["variables"] = [[one.name, one.kind] for one in entry.dictionary]
    told["same"] = entry.dictionary.variables == session.dataset("trial").dictionary.variables
    told["head"] = entry.head()
    told["croissant"] = entry.croissant()["name"]
    assert "dcat:Dataset" in catalogue.health_dcat(), catalogue.health_dcat()
    assert "trial" in repr(entry) and "<table" in entry._repr_html_()
    try:
        session.catalog()["another"]
    except consilium.errors.NotFound as error:
        told["another"] = "`trial`" in str(error)

    cohort = Cohort().step("women", sex("female")).step("seen", encounter().occurs() & ~encounter().never())
    plan = session.plan(cohort, epsilon=given["epsilon"])
    told["institutions"] = plan.institutions
    before = session.budget()
    told["unspent"] = before.left == before.of
    counted = session.count(cohort, scope="own", epsilon=given["epsilon"])
    told["people"] = [count.people for _, count in counted.steps[:2]]
    assert session.budget().left == before.left - given["epsilon"]
    assert counted.step("women").people == told["people"][1] and "<svg" in counted._repr_html_()
    everywhere = session.count(cohort, epsilon=given["epsilon"])
    told["everywhere"] = [count.people for _, count in everywhere.steps[:2]]
    assert everywhere.distinct is not None
    try:
        session.count(cohort, scope="own", epsilon=given["too_much"])
    except consilium.Refused as error:
        told["spent"] = error.rule

    project = entry.apply(
        title="Who survives",
        purpose="To learn whether the treatment helps",
        analyses=["regression", "two-stage", "perceptron", "sql"],
        days=30,
    )
    told["waits"] = sorted(project.waits)
    told["project"] = project.id
    assert not project.is_approved and "waits for" in project.state

print(json.dumps(told))
