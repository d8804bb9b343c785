"""How a question that goes on is shown: a bar in a notebook, a line in a terminal, nothing elsewhere."""

from __future__ import annotations

import html
import sys
from typing import Any, Protocol, TextIO

#: Characters of the bar in a terminal.
_WIDTH = 24


class Progress(Protocol):
    """Shows how a question stands."""

    def show(self, part: float, text: str) -> None:
        """A part of the way between 0 and 1, and a few words."""

    def close(self) -> None:
        """There is nothing more to show."""


class Silent:
    """Shows nothing."""

    def show(self, part: float, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class Line:
    """One line of a terminal, written over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._length = 0

    def show(self, part: float, text: str) -> None:
        full = round(_WIDTH * part)
        line = f"[{'#' * full}{'.' * (_WIDTH - full)}] {text}"
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)

    def close(self) -> None:
        if self._length:
            self._stream.write("\n")
            self._stream.flush()


class Bar:
    """A bar in the output of a notebook's cell."""

    def __init__(self, display: Any, wrap: Any) -> None:
        self._wrap = wrap
        self._handle = display(wrap(bar(0.0, "asked")), display_id=True)

    def show(self, part: float, text: str) -> None:
        self._handle.update(self._wrap(bar(part, text)))

    def close(self) -> None:
        pass


def bar(part: float, text: str) -> str:
    """The bar as HTML."""
    return (
        '<div style="display:flex;gap:.8em;align-items:center">'
        f'<progress max="1" value="{part:.3f}" style="width:14em"></progress>'
        f"<span>{html.escape(text)}</span></div>"
    )


def usual() -> Progress:
    """What fits the place where this runs."""
    if is_notebook():
        from IPython.display import HTML, display

        return Bar(display, HTML)
    return Line(sys.stderr) if sys.stderr is not None and sys.stderr.isatty() else Silent()


def is_notebook() -> bool:
    """Whether this runs in a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return shell is not None and type(shell()).__name__ == "ZMQInteractiveShell"
