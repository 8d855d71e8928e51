"""The page of a demo: everything in it, nothing from elsewhere, readable without colour."""

import re
from html.parser import HTMLParser

import pytest
from support.made_up_demo import RECIPIENTS, a_demo

from homeward.demo import page, report


@pytest.fixture(scope="module")
def html() -> str:
    """The page about made-up results."""
    return page.render(a_demo())


class Tags(HTMLParser):
    """Collects every tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_needs_no_script_and_no_network(html: str):
    tags = Tags(html).found

    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object"}
    links = [a.get("href") for _, a in tags if a.get("href")] + re.findall(r"url\(([^)]*)", html)
    assert all(link.startswith("#") for link in links)
    assert not [a for _, attributes in tags for a in attributes if a.startswith("on")]


def test_every_decision_stands_in_the_page_with_a_word_and_a_reason(html: str):
    found = a_demo()

    cells = re.findall(r'<td class="(\w+)">', html)
    assert len([cell for cell in cells if cell != "none"]) == len(found.cases["S5"].decisions)
    for word in ("Told", "Told in part", "On hold", "Not told"):
        assert f"</svg>{word}</p>" in html
    assert html.count("somebody may be badly harmed") == len(found.cases["S5"].decisions)


def test_every_recipient_has_a_column_and_a_card(html: str):
    for _, _, label, _ in RECIPIENTS:
        assert html.count(label.replace("'", "&#39;")) >= 2


def test_words_of_a_child_cannot_become_markup(html: str):
    assert "Comes home &lt;safe&gt;" in html


def test_what_did_not_hold_is_shown_and_not_folded_away(html: str):
    assert "<details open>" in html
    assert "not so: The school is told no detail (allow)" in html


def test_headings_and_table_heads_are_marked_up(html: str):
    tags = Tags(html).found

    assert ("html", {"lang": "en-GB"}) in tags
    assert [tag for tag, _ in tags].count("h1") == 1
    assert all(a.get("scope") for tag, a in tags if tag == "th")


def test_the_terminal_says_the_same():
    said = report.report(a_demo())

    assert "Told in part" in said
    assert "1 of 2 statements of the cases hold." in said
    assert "NOT SO  S5: The school is told no detail Found: allow" in said
