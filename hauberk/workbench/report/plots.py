# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG inside of a page. Colours are the page's, by class; every shape has its value as its title."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from hauberk.workbench.report.summary import Tally

STATES: Final = ("refused", "audited", "passed")
_WIDTH: Final = 960
_HEIGHT: Final = 240
_LEFT: Final = 56
_BOTTOM: Final = 26
_TOP: Final = 10
_LABELS: Final = 6
_DAY: Final = 86_400


def bar(tally: Tally, most: int, states: Sequence[str]) -> Element:
    """A bar of a row: as long as the tally is, compared with the largest."""
    svg = Element(
        "svg", {"class": "bar", "viewBox": "0 0 100 10", "preserveAspectRatio": "none", "role": "img"}
    )
    SubElement(svg, "title").text = words(tally, states)
    left = 0.0
    for state in states:
        width = getattr(tally, state) / most * 100 if most else 0
        if width:
            width = max(width, 0.6)
            attributes = {
                "class": state,
                "x": f"{left:.2f}",
                "y": "0",
                "width": f"{width:.2f}",
                "height": "10",
            }
            SubElement(svg, "rect", attributes)
            left += width
    return svg


def trend(bins: Sequence[Tally], begin: float, end: float, states: Sequence[str]) -> Element:
    """Columns over time, a part of the span each."""
    svg = Element("svg", {"class": "trend", "viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img"})
    SubElement(svg, "title").text = f"accesses over time: {', '.join(states)}"
    most = nice(max(sum(getattr(each, state) for state in states) for each in bins))
    floor = _HEIGHT - _BOTTOM
    scale = (floor - _TOP) / most
    for step in range(5):
        value = most * step // 4
        y = f"{floor - value * scale:.1f}"
        SubElement(svg, "line", {"class": "grid", "x1": str(_LEFT), "x2": str(_WIDTH), "y1": y, "y2": y})
        place = {"class": "label", "x": str(_LEFT - 8), "y": y, "dy": "4", "text-anchor": "end"}
        SubElement(svg, "text", place).text = short(value)
    width = (_WIDTH - _LEFT) / len(bins)
    for number, tally in enumerate(bins):
        column = SubElement(svg, "g")
        moment = begin + (end - begin) * number / len(bins)
        SubElement(column, "title").text = f"{when(moment, _DAY)}: {words(tally, states)}"
        y_top = float(floor)
        for state in states:
            if accesses := getattr(tally, state):
                height = max(accesses * scale, 1.5)
                y_top -= height
                shape = {
                    "class": state,
                    "x": f"{_LEFT + number * width + 1:.1f}",
                    "y": f"{y_top:.1f}",
                    "width": f"{max(width - 2, 1):.1f}",
                    "height": f"{height:.1f}",
                }
                SubElement(column, "rect", shape)
    for step in range(_LABELS):
        x = _LEFT + (_WIDTH - _LEFT) * step / _LABELS
        anchor = {"class": "label", "x": f"{x:.1f}", "y": str(_HEIGHT - 6), "text-anchor": "start"}
        SubElement(svg, "text", anchor).text = when(begin + (end - begin) * step / _LABELS, end - begin)
    return svg


def words(tally: Tally, states: Sequence[str]) -> str:
    """A tally in words."""
    return ", ".join(f"{getattr(tally, state):,} {state}" for state in states)


def when(moment: float, span: float) -> str:
    """A moment, as precisely as a span of so many seconds wants it."""
    form = "%H:%M:%S" if span < 600 else "%H:%M" if span < _DAY else "%d %b %H:%M"
    return datetime.fromtimestamp(moment, UTC).strftime(form)


def nice(number: int) -> int:
    """The next round number that four lines divide well."""
    unit = 1
    while True:
        for factor in (4, 8, 12, 20):
            if factor * unit >= number:
                return factor * unit
        unit *= 10


def short(number: int) -> str:
    """A number as an axis has it: 12k, 3M."""
    for unit, letter in ((1_000_000, "M"), (1000, "k")):
        if number >= unit:
            return f"{number / unit:g}{letter}"
    return str(number)
