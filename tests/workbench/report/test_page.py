# SPDX-License-Identifier: Apache-2.0
"""The page: it loads nothing and runs nothing, and no name in it becomes markup."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from hauberk.workbench.report.page import page
from hauberk.workbench.report.plots import nice, short, trend
from hauberk.workbench.report.summary import Summary, Summing, Tally

VOID = {"meta", "br", "img", "link", "input", "hr"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style><script src=//evil.example/x></script>",
    "'--><svg onload=alert(1)>",
    "&lt;b&gt; &amp; \x1b[2J \u202e \x00",
    "javascript:alert(1)",
)


class Page(HTMLParser):
    """The elements of a page, their text, and whether it is well formed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def summary(name: str = "web") -> Summary:
    summing = Summing(1_795_824_000, 1_795_910_400)
    for hour in range(24):
        event = {
            "Timestamp": 1_795_824_000 + hour * 3600,
            "HostName": name,
            "ContainerName": name,
            "Resource": name,
            "Source": name,
            "PolicyName": name,
            "Operation": name,
            "Hauberk": {"Rule": name, "Call": name, "Count": hour + 1},
        }
        summing.add(event | {"Action": ("Block", "Audit")[hour % 2]})
    summing.add({"Timestamp": 1_795_824_000, "Result": "Passed"})
    summing.miss(7, name)
    return summing.finish(complete_since=1_795_830_000)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_becomes_markup(name: str) -> None:
    plain, found = Page(page(summary())), Page(page(summary(name)))
    shape = [(tag, sorted(attributes)) for tag, attributes in plain.elements]
    assert [(tag, sorted(attributes)) for tag, attributes in found.elements] == shape
    text = "".join(found.texts)
    assert all(character.isprintable() or character == "\n" for character in text)
    if name.isprintable():
        assert name in found.texts


def test_nothing_is_loaded_and_nothing_runs() -> None:
    text = page(summary())
    found = Page(text)
    tags = {tag for tag, _ in found.elements}
    assert not tags & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "a",
        "base",
        "image",
        "use",
    }
    for _, attributes in found.elements:
        assert not {name for name in attributes if name.startswith("on")} | (
            {"style", "src", "href"} & set(attributes)
        )
    assert "url(" not in text
    assert "@import" not in text
    (rule,) = (
        attributes["content"]
        for tag, attributes in found.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert rule == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_numbers_stand_on_the_page() -> None:
    texts = Page(page(summary())).texts
    refused, audited = sum(range(1, 25, 2)), sum(range(2, 25, 2))
    assert texts[texts.index("accesses refused") - 1] == str(refused)
    assert texts[texts.index("permitted, but audited") - 1] == str(audited)
    assert texts[texts.index("known to be missing") - 1] == "7"
    assert any("from before 2026-11-28 01:40 UTC are not kept any more" in text for text in texts)


def test_a_span_without_events_has_a_page_too() -> None:
    texts = Page(page(Summing(0, 3600).finish())).texts
    assert "Nothing that is known of." in texts
    assert texts.count("none") == 5


def test_columns_are_as_high_as_their_numbers() -> None:
    bins = [Tally(refused=number * 100) for number in (0, 1, 2, 4)]
    heights = [
        float(rect.attrib["height"]) for rect in trend(bins, 0, 60, ("refused", "audited")).iter("rect")
    ]
    assert len(heights) == 3
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    assert heights[2] == pytest.approx(4 * heights[0], abs=0.4)


@pytest.mark.parametrize("number", [0, 1, 4, 5, 9, 13, 99, 100, 101, 12_345, 10**9])
def test_axes_end_at_round_numbers(number: int) -> None:
    found = nice(number)
    assert found >= number
    assert found % 4 == 0
    assert found <= max(4, number * 2)


def test_numbers_of_axes_are_short() -> None:
    assert [short(number) for number in (0, 999, 1000, 1500, 2_000_000)] == ["0", "999", "1k", "1.5k", "2M"]
