"""The questions of a project, asked in another way: with noise, or not sent at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .analyses.draft import A, Draft
from .asking import Asking
from .dictionary import Dictionary
from .questions import Question

if TYPE_CHECKING:
    from .projects import Project


class Variant(Asking):
    """The questions of a project, asked in another way: with noise, or not sent at all."""

    def __init__(self, project: Project, epsilon: Optional[float], *, is_sent: bool) -> None:
        self._project = project
        self._epsilon = epsilon
        self._is_sent = is_sent

    @property
    def dictionary(self) -> Dictionary:
        return self._project.dictionary

    def ask(self, draft: Draft[A]) -> Question[A]:
        """Sends a question so, or hands it out as a draft."""
        question = self._project._drafted(draft, self._project.most_rows)
        return question.send(epsilon=self._epsilon) if self._is_sent else question
