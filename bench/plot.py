"""Line plots as plain SVG, small enough to be read in a diff."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BELOW, ABOVE, RIGHT = 720, 320, 60, 40, 40, 130
COLOURS = ("#0b6e4f", "#c8553d", "#2e5eaa", "#8f5aa8", "#b58900", "#444444")
TICKS = 5


def lines(
    title: str,
    x_label: str,
    y_label: str,
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
) -> str:
    """Return an SVG of several series over the same x; the y axis begins at 0."""
    x_most = max(x) or 1.0
    y_most = max((max(values) for values in series.values()), default=1.0) * 1.05 or 1.0

    def place(at: float, value: float) -> str:
        across = LEFT + at / x_most * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BELOW - value / y_most * (HEIGHT - BELOW - ABOVE)
        return f"{across:.1f},{down:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
        f'<text x="{LEFT}" y="{ABOVE - 6}">{escape(y_label)}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(x_label)}</text>',
    ]
    for step in range(TICKS + 1):
        value, at = y_most * step / TICKS, x_most * step / TICKS
        _, down = place(0, value).split(",")
        across, _ = place(at, 0).split(",")
        parts += [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down}" y2="{down}" stroke="#ddd"/>',
            f'<text x="{LEFT - 6}" y="{down}" text-anchor="end">{value:,.0f}</text>',
            f'<text x="{across}" y="{HEIGHT - BELOW + 16}" text-anchor="middle">{at:,.0f}</text>',
        ]
    for number, (name, values) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(place(at, value) for at, value in zip(x, values, strict=True))
        row = ABOVE + 16 * number
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{WIDTH - RIGHT + 10}" y="{row}" fill="{colour}">{escape(name)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
