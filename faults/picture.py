"""The lag over time with the faults marked, as SVG."""

from __future__ import annotations

import math
from html import escape

from faults.outcome import FOLDERS, Row

_WIDTH, _HEIGHT, _LEFT, _TOP = 900, 260, 60, 40
_SECONDS = (0.01, 0.1, 1, 10, 100)
_STYLE = "text{font:12px sans-serif}.grid{stroke:#ddd}.fault{stroke:#c33;stroke-dasharray:3}.lag{fill:none;stroke:#246}"


def draw(row: Row) -> None:
    (FOLDERS[row.form] / f"{row.name}.svg").write_text(svg(row))


def svg(row: Row) -> str:
    """Time runs to the right; the lag is on a logarithmic scale, since what matters spans from 10 ms to a minute."""
    end = max([at for at, _ in (*row.lags, *row.marks)], default=1) or 1

    def x(at: float) -> float:
        return _LEFT + at / end * (_WIDTH - _LEFT - 20)

    def y(late: float) -> float:
        share = (math.log10(min(max(late, _SECONDS[0]), _SECONDS[-1])) + 2) / 4
        return _TOP + (1 - share) * (_HEIGHT - _TOP - 40)

    bottom = y(_SECONDS[0])
    parts = [f'<text x="{_LEFT}" y="20">{escape(f"{row.name}: {row.fault} ({row.form}, {row.commit})")}</text>']
    for late in _SECONDS:
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 20}" y1="{y(late):.1f}" y2="{y(late):.1f}"/>')
        parts.append(f'<text x="8" y="{y(late) + 4:.1f}">{late:g} s</text>')
    for at, what in row.marks:
        parts.append(f'<line class="fault" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{_TOP}" y2="{bottom:.1f}">')
        parts.append(f"<title>{escape(what)} at {at:g} s</title></line>")
    points = " ".join(f"{x(at):.1f},{y(late):.1f}" for at, late in row.lags)
    parts.append(f'<polyline class="lag" points="{points}"/>')
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 12}">0 s</text>')
    parts.append(f'<text x="{_WIDTH - 70}" y="{_HEIGHT - 12}">{end:.0f} s</text>')
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n<style>{_STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )
