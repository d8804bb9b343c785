"""Survival curves and attrition as SVG, so that a notebook shows them without any other package."""

from __future__ import annotations

import html
import math
from typing import Callable, List, Optional, Sequence, Tuple

#: Colours that people with any colour vision tell apart (Okabe and Ito 2008), and how lines are dashed.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4")
#: Most curves in one drawing.
MOST_CURVES = 12
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 520, 260, 44, 40, 12, 120

Points = Sequence[Tuple[float, float]]


def curves(shown: Sequence[Tuple[str, Points]], time: str) -> Optional[str]:
    """Falling steps from 1 at time 0, one line a group. None where there is no step."""
    last = max((points[-1][0] for _, points in shown if points), default=0.0)
    if last <= 0:
        return None
    ticks = _ticks(last)
    end = max(last, ticks[-1])
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> str:
        return f"{_LEFT + wide * x / end:.1f},{_TOP + high * (1 - y):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" style="font:12px system-ui,sans-serif;max-width:100%">'
        f"<title>Survival by {html.escape(time)}</title>"
    ]
    for y in (0.0, 0.25, 0.5, 0.75, 1.0):
        place = _TOP + high * (1 - y)
        parts.append(
            f'<path d="M{at(0, y)} L{at(end, y)}" stroke="currentColor" stroke-opacity=".15" fill="none"/>'
            f'<text x="{_LEFT - 6}" y="{place + 4:.1f}" text-anchor="end" fill="currentColor">{y:g}</text>'
        )
    for x in ticks:
        place_x = _LEFT + wide * x / end
        parts.append(
            f'<text x="{place_x:.1f}" y="{_TOP + high + 18}" text-anchor="middle" fill="currentColor">{x:g}</text>'
        )
    parts.append(
        f'<text x="{_LEFT + wide / 2}" y="{_HEIGHT - 4}" text-anchor="middle" fill="currentColor">'
        f"{html.escape(time)}</text>"
    )
    for place, (name, points) in enumerate(shown[:MOST_CURVES]):
        parts.append(_line(at, place, name, points))
    return "".join([*parts, "</svg>"])


def _line(at: Callable[[float, float], str], place: int, name: str, points: Points) -> str:
    colour, dash = COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)]
    path, before = [f"M{at(0, 1)}"], 1.0
    for x, y in points:
        path += [f"L{at(x, before)}", f"L{at(x, y)}"]
        before = y
    look = f'stroke="{colour}" stroke-width="2" fill="none" stroke-dasharray="{dash}"'
    row = _TOP + 10 + 18 * place
    start = _WIDTH - _RIGHT + 10
    shown = name if len(name) <= 14 else f"{name[:13]}…"
    return (
        f'<path d="{" ".join(path)}" {look}/><path d="M{start},{row} h20" {look}/>'
        f'<text x="{start + 26}" y="{row + 4}" fill="currentColor">{html.escape(shown)}</text>'
    )


def attrition(shown: Sequence[Tuple[str, Optional[int], int]]) -> Optional[str]:
    """Bars of people after each step, with what the noise may be. None where nobody is told."""
    most = max((people + error for _, people, error in shown if people is not None), default=0)
    if most <= 0:
        return None
    left, wide, row = 190, 250, 26
    high = row * len(shown) + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{high}" role="img" '
        f'viewBox="0 0 {_WIDTH} {high}" style="font:12px system-ui,sans-serif;max-width:100%">'
        "<title>People after each step</title>"
    ]
    for place, (label, people, error) in enumerate(shown):
        top = row * place + 4
        name = label if len(label) <= 28 else f"{label[:27]}…"
        parts.append(
            f'<text x="{left - 8}" y="{top + 14}" text-anchor="end" fill="currentColor">{html.escape(name)}</text>'
        )
        if people is None:
            parts.append(f'<text x="{left}" y="{top + 14}" fill="currentColor" opacity=".6">too few to tell</text>')
            continue
        end, low, up = (left + wide * max(0, one) / most for one in (people, people - error, people + error))
        parts.append(
            f'<rect x="{left}" y="{top}" width="{end - left:.1f}" height="18" fill="{COLOURS[0]}" opacity=".75"/>'
            f'<path d="M{low:.1f},{top + 9} H{up:.1f}" stroke="currentColor" stroke-width="1.5" fill="none"/>'
            f'<text x="{up + 6:.1f}" y="{top + 14}" fill="currentColor">{people:,}</text>'
        )
    return "".join([*parts, "</svg>"])


def _ticks(end: float) -> List[float]:
    rough = end / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next((one * size for one in (1, 2, 2.5, 5, 10) if one * size >= rough), 10 * size)
    return [step * at for at in range(int(end / step) + 1)]
