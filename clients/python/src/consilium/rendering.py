"""Tables as text, as HTML for notebooks, and as pandas frames."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import Any, List, Optional, Sequence

from .errors import MissingExtra

#: Most rows of a table that are shown; frames hold all of them.
MOST_SHOWN = 200
_CELL = "padding:.2em .7em;white-space:nowrap;font-variant-numeric:tabular-nums"


@dataclass(frozen=True)
class Column:
    """A column's name, and how its values are written: `text`, `number` (four digits), `plain` (as it
    is), `count`, `p` or `share`."""

    name: str
    form: str = "text"

    def written(self, value: Any) -> str:
        """A value for people."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "–"
        if self.form == "count":
            return f"{value:,}"
        if self.form == "share":
            return f"{100 * value:.1f} %"
        if self.form == "p":
            return "<0.001" if value < 0.001 else f"{value:.3f}"
        if self.form == "number":
            return number(value)
        if self.form == "plain":
            return f"{value:.6g}"
        return str(value)


@dataclass(frozen=True)
class Table:
    """Rows of plain values below named columns."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    #: Notes below it.
    notes: Sequence[str] = field(default_factory=tuple)

    def text(self) -> str:
        """The table in characters of equal width."""
        cells = [[column.name for column in self.columns], *self._written()]
        widths = [max(len(row[at]) for row in cells) for at in range(len(self.columns))]
        lines = [self.title] if self.title else []
        for row in cells:
            parts = [
                cell.ljust(width) if column.form == "text" else cell.rjust(width)
                for cell, width, column in zip(row, widths, self.columns)
            ]
            lines.append("  ".join(parts).rstrip())
        return "\n".join([*lines, *self._more(), *self.notes])

    def html(self) -> str:
        """The table for a notebook. Everything in it is escaped: names come from other places."""
        head = "".join(
            f'<th scope="col" style="text-align:{_side(column)};{_CELL};border-bottom:1px solid">'
            f"{html.escape(column.name)}</th>"
            for column in self.columns
        )
        body = []
        for row in self._written():
            cells = [
                f'<td style="text-align:{_side(column)};{_CELL}">{html.escape(cell)}</td>'
                for cell, column in zip(row, self.columns)
            ]
            body.append(f"<tr>{''.join(cells)}</tr>")
        notes = "".join(
            f'<p style="margin:.3em 0;opacity:.75">{html.escape(note)}</p>' for note in [*self._more(), *self.notes]
        )
        caption = (
            f'<caption style="text-align:left;caption-side:top;font-weight:600">{html.escape(self.title)}</caption>'
        )
        return (
            '<table class="dataframe consilium" style="margin:.5em 0;border-collapse:collapse">'
            f"{caption if self.title else ''}<thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(body)}</tbody></table>{notes}"
        )

    def frame(self) -> Any:
        """The whole table as a pandas `DataFrame`."""
        try:
            import pandas
        except ImportError:
            raise MissingExtra("frames need pandas: pip install 'consilium[notebook]'") from None
        names = [column.name for column in self.columns]
        return pandas.DataFrame([list(row) for row in self.rows], columns=names)

    def _written(self) -> List[List[str]]:
        shown = self.rows[:MOST_SHOWN]
        return [[column.written(value) for column, value in zip(self.columns, row)] for row in shown]

    def _more(self) -> List[str]:
        more = len(self.rows) - MOST_SHOWN
        return [f"{more} more rows; to_frame() has all"] if more > 0 else []


class Tabled:
    """What is shown as tables."""

    def tables(self) -> List[Table]:
        """The tables; the first one is the main one."""
        raise NotImplementedError

    def lines(self) -> List[str]:
        """What is said before the tables."""
        return []

    def picture(self) -> Optional[str]:
        """An SVG drawing that stands above the tables in a notebook."""
        return None

    def to_frame(self) -> Any:
        """The main table as a pandas `DataFrame`."""
        return self.tables()[0].frame()

    def __repr__(self) -> str:
        return "\n".join([*self.lines(), *(table.text() for table in self.tables())])

    def _repr_html_(self) -> str:
        lines = "".join(f'<p style="margin:.3em 0">{html.escape(line)}</p>' for line in self.lines())
        return f"<div>{lines}{self.picture() or ''}{''.join(table.html() for table in self.tables())}</div>"


def _side(column: Column) -> str:
    return "left" if column.form == "text" else "right"


def number(value: float) -> str:
    """A number in four significant digits."""
    if isinstance(value, int):
        return f"{value:,}"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if value == 0:
        return "0"
    if size >= 1e6 or size < 1e-4:
        return f"{value:.3e}"
    decimals = max(0, 3 - math.floor(math.log10(size)))
    return f"{value:,.{decimals}f}"
