"""Checked against the picture's own bytes, and against what Markdown does with a row's text."""

import base64
import re
from pathlib import Path

import pytest

from flows import markdown
from pipeline import files, layout

PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="1"/></svg>'


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    plots = layout.stage_dir("audit") / "plots"
    plots.mkdir(parents=True)
    (plots / "gaps.svg").write_bytes(PICTURE)
    estimate = {"point": 0.5, "low": 0.25, "high": 0.75, "n": 1234, "note": None}
    report = {"gap": estimate, "<script>": "a | b [x](javascript:alert(1))"}
    files.write_json(layout.report_path("audit"), report)
    return markdown.stage_report("audit")


def test_a_stages_pictures_are_whole_in_its_artifact(page: str) -> None:
    (name, text), *others = re.findall(r"!\[(\w+)\]\(data:image/svg\+xml;base64,([^)]+)\)", page)
    assert (name, base64.b64decode(text), others) == ("gaps", PICTURE, [])


def test_an_estimate_is_one_row_with_its_interval_and_n(page: str) -> None:
    assert "| gap | 0.5 [0.25, 0.75], n = 1,234 |" in page


def test_what_a_report_says_cannot_break_out_of_its_cell(page: str) -> None:
    assert "<script>" not in page
    (row,) = [line for line in page.splitlines() if "javascript" in line]
    assert not re.search(r"(?<!\\)\]\(", row)
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
