"""Checked against the picture's own bytes, and against what Markdown does with a row's text."""

import base64
import re
import time
from pathlib import Path

import browser
import pytest
import servers

from flows import markdown
from pipeline import files, layout, params
from pipeline.adapters import runs

ROOT = Path(__file__).parents[2]
PLACES = "document.querySelector('nav')?.innerText ?? ''"
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


@pytest.mark.slow
@pytest.mark.skipif(browser.PATH is None, reason="no chromium here")
def test_the_link_to_a_run_opens_a_page_of_training_and_not_of_chats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a browser that MLflow's pages have not been opened in before."""
    monkeypatch.chdir(tmp_path)
    with servers.mlflow(tmp_path, f"sqlite:///{tmp_path}/mlflow.db") as server:
        server.wait()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        with runs.stage_run("split", params.load(ROOT / "params.yaml").split):
            files.write_json(layout.report_path("split"), {"rows": 3})
        (link,) = re.findall(r"\[MLflow run\]\((\S+)\)", markdown.stage_report("split"))
        with browser.tab() as tab:
            tab.send("Page.navigate", url=link)
            until = time.monotonic() + 60
            while "Traces" not in (places := tab.evaluate(PLACES)):  # which both kinds have
                assert time.monotonic() < until, places
                time.sleep(0.2)
    assert "Runs" in places
    assert "Prompts" not in places
