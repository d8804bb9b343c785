"""Ask hospitals questions together, and see no record.

    import consilium

    session = consilium.sign_in("https://research.hospital.example", "researcher")
    project = session.projects()[0]
    answer = project.logistic("died ~ age + arm").answer()
    answer.plot()

A question goes on at the node whether or not anybody waits: `session.question(id)` takes it up again.
Whatever this package raises on purpose is a `ConsiliumError`, with the rule and who refused.
"""

from . import analyses, answers, errors
from .answers import Answer
from .dictionary import Dictionary, Variable
from .errors import (
    Busy,
    ConsiliumError,
    DeadlinePassed,
    FormulaError,
    Invalid,
    NoAnswer,
    NodeFailed,
    NotFound,
    NotReady,
    NotSignedIn,
    QuestionError,
    Refusal,
    Refused,
    SecondFactorNeeded,
    Unreachable,
)
from .formula import Formula
from .projects import Project
from .questions import Question, Standing
from .session import Session, sign_in, with_token

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Busy",
    "ConsiliumError",
    "DeadlinePassed",
    "Dictionary",
    "Formula",
    "FormulaError",
    "Invalid",
    "NoAnswer",
    "NodeFailed",
    "NotFound",
    "NotReady",
    "NotSignedIn",
    "Project",
    "Question",
    "QuestionError",
    "Refusal",
    "Refused",
    "SecondFactorNeeded",
    "Session",
    "Standing",
    "Unreachable",
    "Variable",
    "analyses",
    "answers",
    "errors",
    "sign_in",
    "with_token",
]
