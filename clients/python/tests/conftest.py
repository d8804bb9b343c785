"""A node that answers from a script, and a clock that is turned by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Union

import pytest

import consilium
from consilium.door import Door, Token
from consilium.errors import Unreachable
from consilium.session import Session
from consilium.transport import Request, Response

HERE = Path(__file__).parent
SECRET = "a-token-that-nobody-may-see"
ADDRESS = "https://north.example"


class HandClock:
    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: List[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def reply(status: int, body: Any = None, **headers: str) -> Response:
    content = b"" if body is None else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def outcome(status: int, code: str, message: str, rule: Optional[str] = None, **headers: str) -> Response:
    issue: Dict[str, Any] = {"severity": "error", "code": code, "diagnostics": message}
    if rule:
        system = "https://consilium.health/fhir/CodeSystem/policy-rule"
        issue["details"] = {"coding": [{"system": system, "code": rule}]}
    return reply(status, {"resourceType": "OperationOutcome", "issue": [issue]}, **headers)


Step = Union[Response, Unreachable, Callable[[Request], Response]]


class Node:
    """Answers requests in the order of a script, and keeps what it was sent."""

    address = ADDRESS

    def __init__(self, *steps: Step) -> None:
        self.steps: List[Step] = list(steps)
        self.requests: List[Request] = []
        self.clock = HandClock()
        #: Seconds for which a call is kept back that asks for it.
        self.patience = 2.0

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        # A call that is to be kept back takes its time.
        self.clock.time += self.patience if request.path.endswith("wait=2") else 0.0
        assert self.steps, f"nothing is scripted for {request.method} {request.path}"
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Unreachable):
            raise step
        return step if isinstance(step, Response) else step(request)

    def bodies(self) -> List[Any]:
        return [json.loads(one.body) if one.body else None for one in self.requests]

    def session(self) -> Session:
        door = Door(self, self.clock)
        door.token = Token(SECRET)
        return Session(door, "researcher", None)


@pytest.fixture(scope="session")
def forms() -> Any:
    return json.loads((HERE / "forms.json").read_text())


@pytest.fixture(scope="session")
def trial(forms: Any) -> consilium.Dictionary:
    return consilium.Dictionary.read(forms["dictionary"])


APPLICATION = {
    "title": "Who survives",
    "purpose": "To learn whether the treatment helps",
    "coordinator": "north",
    "holders": ["north", "east", "south"],
    "aggregators": ["east", "south"],
    "dataset": "trial",
    "analyses": ["regression"],
    "min_sites": 2,
    "min_rows": 50,
}


def project_json(*choices: str) -> Dict[str, Any]:
    decisions = [
        {"by": by, "choice": choice, "reason": "reviewed", "steward": "a steward", "at": "2026-11-23T00:00:00Z"}
        for by, choice in zip(APPLICATION["holders"], choices)
    ]
    waits = list(APPLICATION["holders"])[len(choices) :]
    return {"id": "p1", "application": APPLICATION, "decisions": decisions, "waits": waits}
