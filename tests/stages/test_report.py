"""The page and the card: what they say is what the reports say, whatever is in them."""

import hashlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import page_cases
import pytest
import report_factory
import yaml
from page_cases import ODD, Change, make_page, read_page

from pipeline import files, layout, reports
from pipeline.errors import InputError
from pipeline.policy import gate, rules
from pipeline.reports import Estimate
from pipeline.stages import report
from pipeline.stages.page import figures

VOID = {"meta", "br", "wbr"}


class Page(HTMLParser):
    """Text, attributes and tables of a page; a tag that does not nest is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.cells: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.cells.append([])
        if tag in {"td", "th"}:
            self.cells[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if self.open and {"td", "th"} & set(self.open) and "title" not in self.open:
            self.cells[-1][-1] += data

    def row(self, heading: str) -> list[str]:
        """Return the cells of the only row that begins so, spaces made single."""
        rows = [[" ".join(cell.split()) for cell in row] for row in self.cells if row]
        (found,) = [row for row in rows if row[0] == heading]
        return found


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def estimates(value: Any) -> list[Estimate]:
    """Every estimate inside a report, by walking its fields."""
    if isinstance(value, Estimate):
        return [value]
    if isinstance(value, reports.Report):
        return [e for name in type(value).model_fields for e in estimates(getattr(value, name))]
    if isinstance(value, dict):
        return [e for item in value.values() for e in estimates(item)]
    return [e for item in value for e in estimates(item)] if isinstance(value, tuple) else []


def test_equal_reports_give_equal_bytes_and_the_digests_of_the_files() -> None:
    """Against hashlib, and a second run."""
    first = make_page()
    for name, digest in first.files.items():
        data = (Path("build/report") / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
    documents = {"model_card.md", "technical_file.md", "data_sheet.md"}
    assert set(first.files) == documents | {"index.html"}
    assert make_page() == first


def test_a_stage_that_has_not_run_is_named() -> None:
    make_page()
    layout.report_path("audit").unlink()
    with pytest.raises(InputError, match="run `dvc repro audit` first"):
        report.run(report.ReportParams(title="t", licence="mit"), page_cases.Silent())


@pytest.mark.parametrize("case", ODD)
def test_every_page_nests_its_tags_and_links_to_what_is_there(case: str) -> None:
    """Against HTML's own rules: tags nest, ids are single, anchors lead to one."""
    make_page(ODD[case])
    page = Page(read_page())
    ids = [value for _, name, value in page.attributes if name == "id"]
    links = [value for _, name, value in page.attributes if name in {"href", "src"}]
    assert len(ids) == len(set(ids))
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)


@pytest.mark.parametrize(
    "case", ["as usual", "three labels", "30 groups", "one group", "undefined figures"]
)
def test_every_figure_of_scores_and_audits_is_shown_with_its_interval_and_n(case: str) -> None:
    """Against a walk over the reports' fields."""
    made = ODD[case](report_factory.make())
    make_page(ODD[case])
    page = Page(read_page()).text
    audit: Any = made["audit"].model_copy(update={"counterfactuals": ()})
    evaluate: Any = made["evaluate"]
    scores = [score for group in audit.groups.values() for score in group]
    beside_rows = ("accuracy", "ece", "brier")  # their n is the number of rows, in the cell before
    groups = [score.model_copy(update=dict.fromkeys(beside_rows)) for score in scores]
    shown = [
        *estimates(evaluate.model),
        *estimates(evaluate.versus),
        *estimates(audit.gaps),
        *estimates(tuple(groups)),
    ]
    assert len(shown) > 20
    for each in shown:
        assert figures.figure(each) in page
    for score in scores:
        assert all(figures.value(getattr(score, name)) in page for name in beside_rows)


def _gate(change: Change) -> gate.Decision:
    policy = rules.load()
    made = change(report_factory.make(policy.digest))
    raw = {stage: each.model_dump(mode="json") for stage, each in made.items()}
    return gate.decide(raw, policy, champion=None)


@pytest.mark.parametrize("case", ODD)
def test_the_page_says_what_the_gate_says(case: str) -> None:
    """Against the gate on the same reports: whether to promote, and every rule's verdict."""
    written = make_page(ODD[case])
    decision, page = _gate(ODD[case]), Page(read_page())
    assert written.verdict == ("promote" if decision.promote else "refuse")
    assert ("may be put to use" in page.text) == decision.promote
    assert ("may not be put to use" in page.text) == (not decision.promote)
    for each in decision.verdicts:
        (row,) = [row for row in page.cells if len(row) == 6 and row[0].strip() == each.rule]
        assert each.verdict.replace("_", " ") in row[4]
        assert each.why in row[5]
        assert ("stops the model" in row[4]) == each.blocks


def test_a_rule_on_what_comes_later_does_not_refuse_here() -> None:
    make_page()
    policy = yaml.safe_load(Path("policy.yaml").read_text())
    policy["rules"].append({"id": "parity", "why": "w", "metric": "bundle.parity", "max": 1e-5})
    Path("policy.yaml").write_text(yaml.safe_dump(policy))
    digest = files.sha256_file(Path("policy.yaml"))
    reports.write("evaluate", report_factory.make(digest)["evaluate"])
    written = report.run(report.ReportParams(title="t", licence="mit"), page_cases.Silent())
    assert written.verdict == "promote"
    assert "not-worse-than-champion, parity" in Page(read_page()).text


def test_a_refusal_is_told_in_one_sentence_with_its_numbers() -> None:
    """Against the gate's own lists, counted."""
    make_page(ODD["one group"])
    stopping = [each for each in _gate(ODD["one group"]).verdicts if each.blocks]
    assert {each.verdict for each in stopping} == {"not_evaluated"}
    assert f"could not be shown to keep {len(stopping)} rules." in Page(read_page()).text


def test_what_was_not_measured_is_listed_with_its_reason_and_never_as_zero() -> None:
    make_page(ODD["undefined figures"])
    page = Page(read_page())
    assert page.row("scores: model, accuracy")[1] == "fewer than 50 rows (n = 7)"
    assert page.row("scores: model, per group, domain, movie")[1] == "fewer than 50 rows (n = 7)"
    assert page.row("audits: gaps, gender accuracy, gap")[1] == "fewer than 50 rows (n = 7)"
    assert (
        page.row("audits: counterfactuals, gender swap, mean change")[1]
        == "no reason given (n = 7)"
    )
    metrics = "accuracy, selection rate, true positive rate and false positive rate"
    assert page.row(f"gender both: gap of {metrics}")[1] == "39 rows, fewer than 50"
    assert "not measured, n = 7" in page.text
    assert "0.000 [0.000, 0.000]" not in page.text


def test_when_all_was_measured_the_page_says_so() -> None:
    def nobody_left_out(made: page_cases.Reports) -> page_cases.Reports:
        audit: Any = made["audit"]
        gaps = tuple(gap.model_copy(update={"groups_left_out": {}}) for gap in audit.gaps)
        compared = audit.mitigation.model_copy(update={"left_out": {}})
        return page_cases.replaced(made, "audit", gaps=gaps, mitigation=compared)

    make_page(nobody_left_out)
    assert "every figure" in Page(read_page()).text


def test_the_page_says_what_only_publish_decides_and_what_the_benchmarks_cannot() -> None:
    make_page()
    text = " ".join(Page(read_page()).text.split())
    assert "python -m pipeline publish does that next" in text
    assert "Blodgett et al. 2021" in text
    assert "from one seed" in text


def test_a_language_model_that_knows_nothing_is_not_called_fair() -> None:
    make_page(ODD["nothing audited"])
    assert "which is not fairness" in " ".join(Page(read_page()).text.split())


def test_large_confusion_is_a_list_and_small_a_matrix() -> None:
    """Against the case's matrix: 3 by 3 in full, and the largest cells off the diagonal of 77."""
    make_page(ODD["three labels"])
    assert ["neutral", "4", "60", "5"] in Page(read_page()).cells
    make_page(ODD["77 labels"])
    confused = [row for row in Page(read_page()).cells if row[-1:] == ["2"] and len(row) == 3]
    assert len(confused) == 20


@pytest.mark.parametrize(
    ("facts", "cells"),
    [
        ({}, ["local file", "not stated", ""]),
        (
            {"dataset": "org/set", "revision": "abc1", "rows": 1200},
            ["org/set abc1", "not stated", "1,200"],
        ),
        ({"dataset": "org/set", "revision": None, "rows": 5}, ["org/set", "not stated", "5"]),
    ],
)
def test_a_file_that_is_of_no_package_has_its_row(facts: dict[str, Any], cells: list[str]) -> None:
    make_page(provenance={"source": "local", "files": {"a.csv": {**facts, "sha256": "1" * 64}}})
    assert Page(read_page()).row("a.csv") == ["a.csv", *cells, "1" * 64]


def test_without_provenance_the_page_says_that_nothing_is_known() -> None:
    make_page(provenance={"source": "local", "files": {}})
    assert "PROVENANCE.json lists no files" in " ".join(Page(read_page()).text.split())


def test_no_licence_of_the_content_is_not_passed_off_as_the_packages() -> None:
    make_page()
    assert (
        Page(read_page()).row("corpus/news.jsonl")[2] == "none stated for the content; package MIT"
    )
