"""Ask hospitals questions together, and see no record.

    import consilium

    session = consilium.sign_in("https://research.hospital.example", "researcher")
    project = session.projects()[0]
    answer = project.logistic("died ~ age + arm").answer()
    answer.plot()

A question goes on at the node whether or not anybody waits: `session.question(id)` takes it up again.
Whatever this package raises on purpose is a `ConsiliumError`, with the rule and who refused.
"""

from . import analyses, answers, criteria, errors
from .answers import Answer
from .catalogue import Catalogue, Entry
from .cohorts import Budget, Counted, Plan
from .council import CouncilProject
from .criteria import Cohort
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
    NotSupported,
    QueryError,
    QueryFaulty,
    QueryTooCostly,
    QueryWouldShow,
    QuestionError,
    Refusal,
    Refused,
    SecondFactorNeeded,
    Unreachable,
)
from .formula import Formula
from .privacy import Expected
from .programs import Output, Program
from .projects import Project
from .queries import Rows
from .questions import Question, Standing
from .releases import Release
from .session import Session, sign_in, with_token
from .twins import Twin

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Budget",
    "Busy",
    "Catalogue",
    "Cohort",
    "ConsiliumError",
    "CouncilProject",
    "Counted",
    "DeadlinePassed",
    "Dictionary",
    "Entry",
    "Expected",
    "Formula",
    "FormulaError",
    "Invalid",
    "NoAnswer",
    "NodeFailed",
    "NotFound",
    "NotReady",
    "NotSignedIn",
    "NotSupported",
    "Output",
    "Plan",
    "Program",
    "Project",
    "QueryError",
    "QueryFaulty",
    "QueryTooCostly",
    "QueryWouldShow",
    "Question",
    "QuestionError",
    "Refusal",
    "Refused",
    "Release",
    "Rows",
    "SecondFactorNeeded",
    "Session",
    "Standing",
    "Twin",
    "Unreachable",
    "Variable",
    "analyses",
    "answers",
    "criteria",
    "errors",
    "sign_in",
    "with_token",
]
