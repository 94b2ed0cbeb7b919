"""Two circles whose areas and common area are the sizes of two sets and of what they share."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from analytics.report.svg import drawing, tag

SMALLEST_RADIUS = 1.5


@dataclass(frozen=True)
class Circles:
    """Radii of two circles and the distance of their centres, in the unit of the figure."""

    left: float
    right: float
    distance: float


def lens_area(left: float, right: float, distance: float) -> float:
    """The area that two circles share."""
    if distance >= left + right:
        return 0.0
    if distance <= abs(left - right):
        return math.pi * min(left, right) ** 2
    a = (distance**2 + left**2 - right**2) / (2 * distance * left)
    b = (distance**2 + right**2 - left**2) / (2 * distance * right)
    angles = left**2 * math.acos(_unit(a)) + right**2 * math.acos(_unit(b))
    product = (
        (-distance + left + right) * (distance + left - right)
        * (distance - left + right) * (distance + left + right)
    )
    return angles - 0.5 * math.sqrt(max(0.0, product))


def circles(left: int, right: int, common: int, area_per_item: float) -> Circles:
    """Circles of two sets of ``left`` and ``right`` members with ``common`` ones shared."""
    r_left, r_right = (math.sqrt(n * area_per_item / math.pi) for n in (left, right))
    wanted = common * area_per_item
    if common == 0:
        return Circles(r_left, r_right, r_left + r_right + 6)
    near, far = abs(r_left - r_right), r_left + r_right
    for _ in range(60):
        middle = (near + far) / 2
        if lens_area(r_left, r_right, middle) > wanted:
            near = middle
        else:
            far = middle
    return Circles(r_left, r_right, (near + far) / 2)


def euler_figure(
    left: int, right: int, common: int, area_per_item: float, size: tuple[float, float],
    classes: tuple[str, str], title: str,
) -> Markup:
    """The figure of one pair, centred in a box of a given size."""
    width, height = size
    found = circles(left, right, common, area_per_item)
    shown = [max(SMALLEST_RADIUS, r) if n else 0.0 for r, n in ((found.left, left), (found.right, right))]
    # A small circle inside a large one does not reach over its edge.
    low = min(-shown[0], found.distance - shown[1])
    high = max(shown[0], found.distance + shown[1])
    start = (width - (high - low)) / 2 - low
    drawn = [
        tag("circle", cx=start + x, cy=height / 2, r=r, class_=f"set {colour}")
        for x, r, colour in ((0.0, shown[0], classes[0]), (found.distance, shown[1], classes[1]))
        if r
    ]
    return drawing(width, height, title, *drawn)


def _unit(value: float) -> float:
    return max(-1.0, min(1.0, value))
