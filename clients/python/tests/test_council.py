"""The patient council's doors: what is listed, and what a word sends."""

from __future__ import annotations

from typing import Any, Dict, Optional

import pytest

import consilium
from conftest import APPLICATION, Node, outcome, reply


def seen(id: str, agree: int = 0, object: int = 0, own: Optional[str] = None, **more: Any) -> Dict[str, Any]:
    word = {"say": own, "conditions": "in plain words", "at": "2026-11-23T00:00:00Z"} if own else None
    application = {
        **APPLICATION,
        "researchers": [{"account": "a1", "name": "Ada Berg"}],
        "from": "2026-11-01T00:00:00Z",
        "until": "2027-11-01T00:00:00Z",
        **more,
    }
    return {"id": id, "application": application, "needed": 2, "agree": agree, "object": object, "own": word}


def test_what_waits_for_the_council_is_listed() -> None:
    listed = [
        seen("p3", analyses=["regression", "extract"], amends="p2"),
        seen("p2", agree=1, object=1),
        seen("p1", 2, own="agree"),
    ]
    node = Node(reply(200, {"projects": listed}))
    projects = node.session().council()
    assert [one.id for one in projects.waiting] == ["p3", "p2"]
    assert [one.state for one in projects] == [
        "the council has not agreed (0 of 2 members)",
        "the council objects (1 of its members)",
        "the council agrees (2 of its members)",
    ]
    assert "Who survives" in repr(projects) and "objects" in projects._repr_html_()
    first, last = projects[0], projects[2]
    assert last.own is not None and (last.own.say, last.own.conditions) == ("agree", "in plain words")
    assert "agree: in plain words" in repr(last) and "To learn whether" in repr(last)
    assert "single people" in repr(first) and "changes project p2" in repr(first) and "Ada Berg" in repr(first)
    assert "single people" not in repr(last)
    assert node.requests[0].path == "/research/council"


def test_a_word_is_sent_and_shown() -> None:
    node = Node(
        reply(200, {"projects": [seen("p/1", 1)]}),
        reply(204),
        reply(200, {"projects": [seen("p/1", 2, own="agree")]}),
        reply(204),
        reply(200, {"projects": [seen("p/1", 1, 1, own="object")]}),
    )
    project = node.session().council()[0]
    assert project.agree("in plain words").state == "the council agrees (2 of its members)"
    assert project.object("it gives nothing back").objecting == 1
    said = [one for one in node.requests if one.method == "POST"]
    assert [one.path for one in said] == ["/research/council/p%2F1"] * 2
    assert node.bodies()[1] == {"say": "agree", "conditions": "in plain words"}
    assert node.bodies()[3] == {"say": "object", "conditions": "it gives nothing back"}


def test_a_word_that_is_refused_changes_nothing() -> None:
    node = Node(
        reply(200, {"projects": [seen("p1", 1)]}),
        outcome(400, "value", "say why you object"),
        outcome(409, "conflict", "the project has ended"),
        reply(200, {"projects": []}),
    )
    session = node.session()
    project = session.council()[0]
    with pytest.raises(consilium.Invalid, match="say why"):
        project.object("")
    with pytest.raises(consilium.NotReady, match="has ended"):
        project.agree()
    assert (project.agreeing, project.own) == (1, None)
    with pytest.raises(consilium.NotFound, match="does not ask"):
        session.council_project("p1")


def test_a_fresh_code_is_asked_for_before_a_word() -> None:
    needed = reply(
        401,
        {"resourceType": "OperationOutcome", "issue": [{"code": "login", "diagnostics": "prove the second factor"}]},
        www_authenticate='Bearer error="insufficient_user_authentication"',
    )
    given = reply(200, {"projects": [seen("p1", 2, own="agree")]})
    node = Node(reply(200, {"projects": [seen("p1", 1)]}), needed, reply(204), reply(204), given)
    session = node.session()
    session.code = lambda: "123456"
    assert session.council()[0].agree().agreeing == 2
    assert [one.path for one in node.requests[1:4]] == [
        "/research/council/p1",
        "/auth/step-up",
        "/research/council/p1",
    ]
