"""Against counts made by hand: what Great Expectations finds is what is there."""

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.adapters import expectations
from pipeline.adapters.expectations import Outcome, Suites


@pytest.fixture(scope="module")
def suites() -> Suites:
    return Suites()


COLUMNS = {
    "flag": np.array([False, True, True, False]),
    "size": np.array([1.0, np.nan, 30.0, 5.0]),
    "label": np.array(["a", "b", "c", "a"], np.object_),
}


def test_each_rule_counts_the_values_that_break_it(suites: Suites) -> None:
    rules = {
        "never": expectations.never("flag"),
        "not_null": expectations.not_null("size"),
        "between": expectations.between("size", low=2, high=30),
        "in_set": expectations.in_set("label", ("a", "b")),
        "holds": expectations.between("size", low=1),
    }
    assert suites.evaluate("counts", COLUMNS, rules) == {
        "never": Outcome(passed=False, unexpected=2),
        "not_null": Outcome(passed=False, unexpected=1),
        "between": Outcome(passed=False, unexpected=1),  # the null breaks no limit
        "in_set": Outcome(passed=False, unexpected=1),
        "holds": Outcome(passed=True, unexpected=0),
    }


def test_a_rule_of_a_column_that_is_absent_is_our_mistake_and_no_pass(suites: Suites) -> None:
    with pytest.raises(AssertionError):
        suites.evaluate("absent", COLUMNS, {"x": expectations.never("nowhere")})


def test_data_docs_show_every_suite(suites: Suites, tmp_path: Path) -> None:
    suites.evaluate("shown", COLUMNS, {"x": expectations.never("flag")})
    suites.write_docs(tmp_path / "docs")
    (page,) = (tmp_path / "docs" / "validations").glob("shown/**/*.html")
    assert "flag" in page.read_text()
    index = (tmp_path / "docs" / "index.html").read_text()
    assert str(page.relative_to(tmp_path / "docs")) in index
    assert "://" not in index


def test_a_page_of_data_docs_may_load_nothing_from_another_host(tmp_path: Path) -> None:
    """By its Content-Security-Policy, which no tag comes before."""
    suites = Suites()
    suites.evaluate("offline", COLUMNS, {"x": expectations.never("flag")})
    suites.write_docs(tmp_path / "docs")
    pages = [*(tmp_path / "docs" / "validations").rglob("*.html")]
    pages += (tmp_path / "docs" / "expectations").rglob("*.html")
    assert len(pages) >= 2
    for page in pages:
        head = page.read_text().partition("<head>")[2]
        allowed = re.match(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', head)
        assert allowed
        assert "http" not in allowed[1]
        assert allowed[1].startswith("default-src 'self'")
