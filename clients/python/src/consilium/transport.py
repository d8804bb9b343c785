"""How a request reaches a node: HTTPS of the standard library, or whatever a test puts in its place."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import IO, Any, Mapping, Optional, Protocol
from urllib.parse import urlsplit

from .errors import ConsiliumError, NodeFailed, Unreachable

#: Most bytes of an answer that are read.
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """What is sent. Headers and body are never shown: they hold tokens and questions."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: Optional[bytes] = field(repr=False)
    #: Seconds until it is given up.
    timeout: float = 30.0


@dataclass(frozen=True)
class Response:
    """What came back; names of headers in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport(Protocol):
    """Carries requests to one node."""

    @property
    def address(self) -> str:
        """The node's address, as people write it."""

    def send(self, request: Request) -> Response:
        """Sends once. Raises `Unreachable` where no answer comes."""


class HttpsTransport:
    """HTTPS with the system's certificates, or those of `ca_file`. Redirections are not followed: a
    token goes to the node that it is of, and to nobody else. Plain HTTP is for this machine alone,
    unless `allow_plain` says otherwise."""

    def __init__(self, address: str, *, ca_file: Optional[str] = None, allow_plain: bool = False) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ConsiliumError("write the node's address as `https://research.hospital.example`")
        if parts.username or parts.password:
            raise ConsiliumError("the node's address holds no name and no password; hand them to `sign_in`")
        if parts.scheme == "http" and not allow_plain and not _is_here(parts.hostname):
            raise ConsiliumError("plain HTTP would show your password to the network; use `https://`")
        port = f":{parts.port}" if parts.port else ""
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._address = f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
        handlers: "list[urllib.request.BaseHandler]" = [_NoRedirections()]
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca_file)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        if _is_here(parts.hostname):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    @property
    def address(self) -> str:
        return self._address

    def send(self, request: Request) -> Response:
        sent = urllib.request.Request(
            self._address + request.path,
            data=request.body,
            headers=dict(request.headers),
            method=request.method,
        )
        try:
            with self._opener.open(sent, timeout=request.timeout) as answer:
                return self._read(answer.status, answer.headers, answer)
        except urllib.error.HTTPError as error:
            with error:
                return self._read(error.code, error.headers, error)
        except urllib.error.URLError as error:
            # What `reason` says is of the network or of certificates, and holds no header.
            reason = error.reason
            never_sent = isinstance(reason, (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError))
            raise Unreachable(
                f"no connection to the node: {reason}", refused_by=self._address, may_have_happened=not never_sent
            ) from None
        except (OSError, HTTPException) as error:
            raise Unreachable(
                f"the node did not answer: {type(error).__name__}", refused_by=self._address, may_have_happened=True
            ) from None

    def _read(self, status: int, headers: Any, stream: IO[bytes]) -> Response:
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise NodeFailed(f"the answer is longer than {MOST_BYTES} bytes", refused_by=self._address)
        # `read` with a length does not say that the connection broke before its end.
        announced = str(headers.get("Content-Length") or "")
        if announced.isdigit() and len(body) < int(announced):
            raise Unreachable("the answer broke off", refused_by=self._address, may_have_happened=True)
        return Response(status, {name.lower(): value for name, value in headers.items()}, body)


class _NoRedirections(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
