"""The node's door: requests with a token, repeated within a deadline where that is safe, and refusals
told as exceptions."""

from __future__ import annotations

import json
import logging
import random
import time
from typing import Any, Callable, Dict, Optional, Protocol, Tuple

from .errors import (
    Busy,
    ConsiliumError,
    Invalid,
    NodeFailed,
    NotFound,
    NotReady,
    NotSignedIn,
    NotSupported,
    Refused,
    SecondFactorNeeded,
    Unreachable,
    split_rule,
)
from .transport import Request, Response, Transport

#: Seconds that a request may take, with everything that is tried again.
DEADLINE_S = 60.0
#: First and longest pause before something is tried again, in seconds.
PAUSES_S = (0.25, 8.0)

#: The media type of almost everything.
JSON = "application/json"

_log = logging.getLogger("consilium")


class Clock(Protocol):
    """Time, which tests turn by hand."""

    def now(self) -> float:
        """Seconds since whenever."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


class SystemClock:
    """The computer's."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Token:
    """A token, which nothing shows, copies into a file or prints."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def header(self) -> str:
        """The value of `Authorization`."""
        return f"Bearer {self._text}"

    def __repr__(self) -> str:
        return "<token>"

    def __reduce__(self) -> Any:
        raise TypeError("a token is not stored; sign in again")


class Door:
    """Sends requests to one node."""

    def __init__(self, transport: Transport, clock: Optional[Clock] = None) -> None:
        self.transport = transport
        self.clock: Clock = clock or SystemClock()
        self.token: Optional[Token] = None
        #: Where a one-time code comes from when a call needs a fresh one; without it `SecondFactorNeeded`
        #: is raised.
        self.code: Optional[Callable[[], str]] = None

    @property
    def address(self) -> str:
        """The node's address."""
        return self.transport.address

    def call(
        self,
        method: str,
        path: str,
        body: Optional[Dict[str, Any]] = None,
        *,
        patience_s: float = 0.0,
        deadline_s: float = DEADLINE_S,
    ) -> Any:
        """Sends a request and gives what JSON came back, `None` where nothing did."""
        content = None if body is None else (JSON, json.dumps(body, allow_nan=False).encode())
        return self._json(self.exchange(method, path, content, patience_s=patience_s, deadline_s=deadline_s))

    def change(self, method: str, path: str, body: Optional[Dict[str, Any]] = None, *, patience_s: float = 0.0) -> Any:
        """A call that needs a fresh second factor, which is asked for once where somebody sits."""
        try:
            return self.call(method, path, body, patience_s=patience_s)
        except SecondFactorNeeded as error:
            self._prove(error)
            return self.call(method, path, body, patience_s=patience_s)

    def upload(self, path: str, content: bytes, media: str) -> Any:
        """Sends bytes where JSON comes back; a fresh second factor is asked for as in `change`."""
        try:
            return self._json(self.exchange("POST", path, (media, content)))
        except SecondFactorNeeded as error:
            self._prove(error)
            return self._json(self.exchange("POST", path, (media, content)))

    def document(self, path: str, accept: str = "*/*") -> bytes:
        """What is there, as it is."""
        return self.exchange("GET", path, accept=accept).body

    def _prove(self, needed: SecondFactorNeeded) -> None:
        if self.code is None:
            raise needed
        self.call("POST", "/auth/step-up", {"totp": self.code().strip()})

    def exchange(
        self,
        method: str,
        path: str,
        content: Optional[Tuple[str, bytes]] = None,
        *,
        accept: str = JSON,
        patience_s: float = 0.0,
        deadline_s: float = DEADLINE_S,
    ) -> Response:
        """Sends a request, `content` being its media type and its bytes, and gives a good answer.

        A request that changes nothing is sent again after a broken connection and by an overloaded
        node, until `deadline_s` seconds have gone by. One that changes something is sent again only
        where the node says, or the network shows, that it was not taken. `patience_s` is how long the
        node was asked to keep the answer back.
        """
        end = self.clock.now() + deadline_s
        pause, longest = PAUSES_S
        while True:
            left = end - self.clock.now()
            try:
                response = self._send(method, path, content, accept, max(0.1, min(left, 30.0) + patience_s))
                if 200 <= response.status < 300:
                    return response
                raise self._refusal(response)
            except Unreachable as error:
                if method != "GET" and error.may_have_happened:
                    raise
                problem: ConsiliumError = error
                wait = 0.0
            except Busy as error:
                problem, wait = error, error.retry_after_s if isinstance(error, _BusyNow) else 0.0
            wait = max(wait, random.uniform(pause / 2, pause))
            if self.clock.now() + wait >= end:
                raise problem
            self.clock.sleep(wait)
            pause = min(pause * 2, longest)

    def _send(
        self, method: str, path: str, content: Optional[Tuple[str, bytes]], accept: str, timeout: float
    ) -> Response:
        headers = {"Accept": accept}
        if self.token is not None:
            headers["Authorization"] = self.token.header()
        if content is not None:
            headers["Content-Type"] = content[0]
        begun = self.clock.now()
        body = None if content is None else content[1]
        response = self.transport.send(Request(method, path, headers, body, timeout))
        shown = path.split("?", 1)[0]
        _log.debug("%s %s: %s after %.2f s", method, shown, response.status, self.clock.now() - begun)
        return response

    def _json(self, response: Response) -> Any:
        if not response.body:
            return None
        try:
            return json.loads(response.body)
        except ValueError:
            raise NodeFailed("what answers is no Consilium node", refused_by=self.address) from None

    def _refusal(self, response: Response) -> ConsiliumError:
        code, message, rule = _outcome(response)
        status, by = response.status, self.address
        if status == 401:
            challenge = response.headers.get("www-authenticate", "")
            is_step_up = "insufficient_user_authentication" in challenge
            kind = SecondFactorNeeded if is_step_up else NotSignedIn
            return kind(message, rule=rule, refused_by=by, status=status)
        if status in (502, 503, 504):
            # A proxy's 503 does not say whether the node has seen the request; the node's own does.
            if code == "throttled":
                return _BusyNow(message, by, response.headers.get("retry-after"))
            return Unreachable(f"the way to the node is broken (HTTP {status})", refused_by=by, may_have_happened=True)
        if status == 400 and "unknown field" in message:
            return NotSupported(f"this node is older than what is asked of it: {message}", refused_by=by, status=status)
        by_status = {400: Invalid, 403: Refused, 404: NotFound, 409: NotReady, 412: NotReady, 422: Invalid}
        kinds = by_status.get(status, NodeFailed if status >= 500 or not code else Invalid)
        return kinds(message, rule=rule, refused_by=by, status=status)


class _BusyNow(Busy):
    def __init__(self, message: str, refused_by: str, retry_after: Optional[str]) -> None:
        super().__init__(message, refused_by=refused_by, status=503)
        is_number = retry_after is not None and retry_after.isdigit()
        self.retry_after_s = float(retry_after or 0) if is_number else 0.0


def _outcome(response: Response) -> "tuple[Optional[str], str, Optional[str]]":
    """Code, message and rule of an OperationOutcome."""
    try:
        issue = json.loads(response.body)["issue"][0]
        message = str(issue.get("diagnostics") or issue["code"])
        coding = (issue.get("details") or {}).get("coding") or [{}]
        stated = coding[0].get("code")
        rule, reason = split_rule(message)
        return str(issue["code"]), reason, str(stated) if stated else rule
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None, f"HTTP {response.status}", None
