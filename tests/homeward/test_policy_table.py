"""The matrix as a page: all of the table in words, for a screen reader and on paper alike."""

import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from homeward.engine import policy_digest
from homeward.engine.bundle import read_data
from homeward.governance import words
from homeward.governance.matrix import Matrix, matrix
from homeward.governance.pages import table_page
from homeward.governance.saying import POLICIES


@pytest.fixture(scope="module")
def told() -> Matrix:
    """The matrix of the policies in the tree."""
    return matrix(POLICIES)


@pytest.fixture(scope="module")
def html(told: Matrix) -> str:
    """Its page."""
    return table_page(told)


class Page(HTMLParser):
    """A page as a reader of its structure meets it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: dict[str, str] = {}
        self._row = ""
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        self.tags.append((tag, about))
        if tag == "th" and about.get("scope") == "row":
            self._row = about.get("id") or ""
        if tag in ("section", "h2"):
            self._row = ""

    def handle_data(self, data: str) -> None:
        told = re.sub(r"\s+", " ", data)
        self.text += told
        if self._row:
            self.rows[self._row] = self.rows.get(self._row, "") + told


def test_the_page_needs_no_script_and_nothing_from_elsewhere(html: str) -> None:
    tags = Page(html).tags

    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "embed"}
    assert not [name for _, about in tags for name in about if name.startswith("on")]
    assert "://" not in html
    assert not re.findall(r"@import|url\(", html)


def test_every_place_that_is_pointed_to_is_there_and_is_there_once(html: str) -> None:
    tags = Page(html).tags
    ids = [about["id"] for _, about in tags if "id" in about]
    pointed = [about["href"] for tag, about in tags if tag == "a"]
    labels = [about["aria-labelledby"] for _, about in tags if "aria-labelledby" in about]

    assert len(ids) == len(set(ids))
    assert all(link and link.startswith("#") and link[1:] in ids for link in pointed)
    assert all(label in ids for label in labels)


def test_headings_go_down_one_step_at_a_time(html: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(html).tags if re.fullmatch("h[1-6]", tag)]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_it_can_be_read_by_ear_and_by_keyboard(html: str) -> None:
    tags = Page(html).tags
    names = [tag for tag, _ in tags]

    assert ("html", {"lang": "en-GB"}) in tags
    assert all(names.count(one) == 1 for one in ("header", "main", "footer", "nav"))
    assert names.count("caption") == names.count("table")
    assert all(about.get("scope") in ("col", "row") for tag, about in tags if tag == "th")
    first = next(about for tag, about in tags if tag == "a")
    assert first == {"class": "skip", "href": "#content"}
    scrolled = [about for _, about in tags if about.get("class") == "scroll"]
    assert scrolled
    assert all(one["tabindex"] == "0" and one["role"] == "region" for one in scrolled)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("ink", ["ink", "soft", "accent"])
def test_ink_stands_out_from_paper(html: str, ink: str) -> None:
    colours = dict(re.findall(r"--(\w+):(#[0-9a-f]{6})", html))
    light = luminance(colours["paper"])

    assert (light + 0.05) / (luminance(colours[ink]) + 0.05) >= 4.5


def test_it_prints_on_a4_across_and_says_in_words_what_a_sign_says(html: str) -> None:
    assert "@page{size:A4 landscape" in html
    for sign, word in (("●", "whole"), ("◐", "in part"), ("○", "never"), ("◔", "held")):
        assert f"{sign} {word}" in html


def test_all_79_rows_are_there_with_every_path_why_and_source(html: str) -> None:
    rows, data = Page(html).rows, read_data(POLICIES)

    assert len(data["table"]) == 79
    for name, row in data["table"].items():
        told = rows[name]
        for path in row["paths"]:
            assert words.transforms(path["transforms"], data) in told
            for one in path["when"]:
                if one not in ("always", "agreed", "a_person_decides"):
                    assert words.condition(one) in told
        for one in row.get("every_path_needs", ()):
            assert words.condition(one) in told
        assert row["why"] in told
        assert row["source"] in told
        assert row["never"] in told
        assert row["valid_from"] in told
        assert all(basis in told for basis in row["basis"])


def test_the_matrix_names_the_row_of_every_recipient_and_category(html: str) -> None:
    matrix_alone = html[: html.index('id="before"')]

    for name in read_data(POLICIES)["table"]:
        assert f'href="#{name}"' in matrix_alone


def test_the_page_says_which_policy_it_is_and_that_nobody_has_approved_it(html: str) -> None:
    page = Page(html)

    assert policy_digest(POLICIES) in page.text
    assert read_data(POLICIES)["policy_version"] in page.text
    assert "Illustrative until your DPO has approved them." in page.text


def test_what_stands_before_the_rows_is_explained_once(html: str) -> None:
    page = Page(html)

    for name in (*(f"HD{n}" for n in range(1, 11)), "H1", "SWEEP", "REQ"):
        assert len([a for _, a in page.tags if a.get("id") == f"rule-{name}"]) == 1
    for duty in words.OBLIGATIONS:
        assert words.spaced(duty) in page.text


def test_an_earlier_text_of_a_row_stands_beside_the_present_one(tmp_path: Path) -> None:
    draft = shutil.copytree(POLICIES, tmp_path / "policies")
    table = draft / "table" / "police.yaml"
    rows = yaml.safe_load(table.read_text())
    rows["POL-10"] |= {"valid_from": "2027-01-01", "earlier": [
        {"paths": [{"when": ["agreed"], "transforms": ["approach_only"]}], "basis": ["PT"],
         "valid_from": "2014-01-01"}]}  # fmt: skip
    table.write_text(yaml.safe_dump(rows))

    told = Page(table_page(matrix(draft))).rows["POL-10"]

    assert "Text of 2027-01-01" in told
    assert "Earlier, from 2014-01-01" in told
    assert "agreed: how the child wants to be approached" in told


def test_what_a_draft_says_cannot_become_markup(tmp_path: Path) -> None:
    draft = shutil.copytree(POLICIES, tmp_path / "policies")
    table = draft / "table" / "police.yaml"
    table.write_text(table.read_text().replace("Private wishes.", "<script>x</script>"))

    assert "<script" not in table_page(matrix(draft))


def test_every_condition_transform_and_code_has_words_of_its_own() -> None:
    """A new fact or transform reads badly until somebody gives it words."""
    data = read_data(POLICIES)
    bare = [name for name, kind in data["facts"].items() if kind in ("truth", "text", "list")]
    unsaid = [name for name in bare if words.condition(name) == words.spaced(name)]

    assert set(unsaid) <= {"approvals", "place_la", "cell_counts"}
    for name, kind in data["facts"].items():
        if kind == "number":
            assert words.condition({name: {"at_least": 3}}) != f"{words.spaced(name)} is at least 3"
