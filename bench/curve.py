"""A picture of what one recipient costs, over the number of recipients."""

import math
from collections.abc import Mapping
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 260, 60, 40, 20


def draw(costs: Mapping[int, float], path: str) -> None:
    """Write an SVG: recipients on a logarithmic axis, microseconds each from zero up."""
    most = max(costs.values()) * 1.2
    least_log, most_log = (math.log10(end(costs)) for end in (min, max))

    def place(people: int, cost: float) -> tuple[float, float]:
        across = (math.log10(people) - least_log) / ((most_log - least_log) or 1)
        return LEFT + 20 + across * (WIDTH - LEFT - 60), HEIGHT - BOTTOM - cost / most * (HEIGHT - BOTTOM - TOP)

    points = [(people, cost, *place(people, cost)) for people, cost in sorted(costs.items())]
    line = " ".join(f"{x:.0f},{y:.0f}" for _, _, x, y in points)
    marks = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="#2f5fd0"/>'
        f'<text x="{x:.0f}" y="{y - 10:.0f}" text-anchor="middle">{cost:.0f} µs</text>'
        f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{people:,}</text>'
        for people, cost, x, y in points
    )
    Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="13" fill="#444">'
        "<title>Time for one recipient, over the number of recipients</title>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - 20}" fill="none" stroke="#999"/>'
        f'<text x="{LEFT - 8}" y="{HEIGHT - BOTTOM}" text-anchor="end">0</text>'
        f'<polyline points="{line}" fill="none" stroke="#2f5fd0" stroke-width="2"/>{marks}</svg>\n'
    )
