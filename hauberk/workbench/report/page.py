# SPDX-License-Identifier: Apache-2.0
"""A summary as one HTML page that needs nothing else: no script, no font, no address.

The page is built as a tree, whose writer escapes every text, and its own policy lets it load nothing and run
nothing: the style is named by its hash.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from hauberk.workbench.report.plots import bar, trend
from hauberk.workbench.report.style import STYLE
from hauberk.workbench.report.summary import Named, Summary

_ALERTS: Final = ("refused", "audited")
_ALL: Final = (*_ALERTS, "passed")


def page(summary: Summary) -> str:
    """The page."""
    html = Element("html", {"lang": "en"})
    head = SubElement(html, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    rule = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": rule})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    SubElement(head, "meta", {"name": "referrer", "content": "no-referrer"})
    nodes = ", ".join(summary.nodes)
    SubElement(head, "title").text = f"Hauberk: {nodes or 'report'}"
    SubElement(head, "style").text = STYLE
    main = SubElement(SubElement(html, "body"), "main")
    SubElement(main, "h1").text = f"What Hauberk saw{f' on {nodes}' if nodes else ''}"
    SubElement(main, "p", {"class": "soft"}).text = f"{_moment(summary.begin)} to {_moment(summary.end)}"
    if summary.complete_since > summary.begin:
        warning = SubElement(main, "section", {"class": "warn"})
        SubElement(warning, "p").text = (
            f"Events from before {_moment(summary.complete_since)} are not kept any more: "
            "this page begins with what there is."
        )
    _tiles(main, summary)
    _trends(main, summary)
    seen = _ALL if summary.total.passed else _ALERTS
    pair = SubElement(main, "div", {"class": "pair"})
    _ranking(pair, "Workloads", summary.workloads, seen)
    _ranking(pair, "Rules", summary.rules, _ALERTS)
    _ranking(pair, "Objects", summary.objects, _ALERTS)
    _ranking(pair, "Programs", summary.programs, _ALERTS)
    _ranking(main, "What was done", summary.operations, seen)
    _missing(main, summary)
    return f"<!DOCTYPE html>\n{tostring(html, encoding='unicode', method='html')}\n"


def _tiles(main: Element, summary: Summary) -> None:
    tiles = SubElement(main, "div", {"class": "tiles"})
    missing = sum(each.accesses for each in summary.missing)
    told = [
        (summary.total.refused, "refused", "accesses refused"),
        (summary.total.audited, "audited", "permitted, but audited"),
        (summary.total.passed, "passed", "permitted and visible"),
        (missing, "refused" if summary.missing else "good", "known to be missing"),
    ]
    for number, name, meaning in told:
        tile = SubElement(tiles, "div", {"class": "tile"})
        SubElement(tile, "b", {"class": name}).text = f"{number:,}"
        SubElement(tile, "span").text = meaning


def _trends(main: Element, summary: Summary) -> None:
    for heading, states in (
        ("Refused and audited, over time", _ALERTS),
        ("Permitted, over time", ("passed",)),
    ):
        if states == ("passed",) and not summary.total.passed:
            continue
        section = SubElement(main, "section")
        SubElement(section, "h2").text = heading
        legend = SubElement(section, "div", {"class": "legend"})
        for state in states:
            item = SubElement(legend, "span")
            square = SubElement(item, "svg", {"viewBox": "0 0 10 10"})
            SubElement(square, "rect", {"class": state, "width": "10", "height": "10"})
            SubElement(item, "span").text = state
        section.append(trend(summary.bins, summary.begin, summary.end, states))


def _ranking(parent: Element, heading: str, ranked: Sequence[Named], states: Sequence[str]) -> None:
    """A table with a bar in each row, the largest first."""
    section = SubElement(parent, "section")
    SubElement(section, "h2").text = heading
    ranked = [each for each in ranked if any(getattr(each, state) for state in states)]
    if not ranked:
        SubElement(section, "p", {"class": "soft"}).text = "none"
        return
    most = max(sum(getattr(each, state) for state in states) for each in ranked)
    table = SubElement(section, "table")
    head = SubElement(SubElement(table, "thead"), "tr")
    for text in ("", "", *states):
        SubElement(head, "th", {"class": "number"} if text else {}).text = text
    body = SubElement(table, "tbody")
    for each in ranked:
        row = SubElement(body, "tr")
        SubElement(row, "td", {"class": "name"}).text = each.name
        SubElement(row, "td", {"class": "plot"}).append(bar(each, most, states))
        for state in states:
            SubElement(row, "td", {"class": "number"}).text = f"{getattr(each, state):,}"


def _missing(main: Element, summary: Summary) -> None:
    section = SubElement(main, "section")
    SubElement(section, "h2").text = "What is missing"
    if not summary.missing:
        SubElement(section, "p", {"class": "soft"}).text = "Nothing that is known of."
        return
    table = SubElement(SubElement(section, "table"), "tbody")
    for each in summary.missing:
        row = SubElement(table, "tr")
        SubElement(row, "td", {"class": "number"}).text = f"{each.accesses:,}" if each.accesses else "some"
        SubElement(row, "td").text = each.why


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
