"""The technical file and the data sheet: every sentence with a number rests on a report field."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
import report_factory
from page_cases import ODD, PROVENANCE, make_page, replaced

from pipeline.policy.references import REFERENCES
from pipeline.stages.page.card import escape
from pipeline.stages.page.language import say, speaking
from pipeline.stages.page.limits import LIMITS

CITED = re.compile(r"\*\*(?P<shown>.+?)\*\* \(`(?P<path>[^`]+)`\)")
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e-\d+)?")
DOCUMENTS = ("technical_file.md", "data_sheet.md")


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def look_up(reports: Any, path: str) -> list[Any]:
    """Walk a path by hand: names, and the fields that choose from a list."""
    found = [reports]
    for step in re.findall(r"[^.\[\]]+(?:\[[^\]]*\])?", path):
        name, _, where = step.rstrip("]").partition("[")
        found = [node[name] for node in found]
        if where:
            wanted = dict(pair.split("=") for pair in where.split(","))
            found = [e for node in found for e in node if wanted.items() <= e.items()]
    return found


def numbers_of(value: Any) -> list[float]:
    """The numbers that a field's value holds, in the order in which they are told."""
    if isinstance(value, dict) and "point" in value:
        told = [value[key] for key in ("point", "low", "high", "n")]
        return [each for each in told if each is not None]
    if isinstance(value, dict):
        return [n for _, item in sorted(value.items()) for n in numbers_of(item)]
    if isinstance(value, list):
        return [n for item in value for n in numbers_of(item)]
    if isinstance(value, str):
        return [float(n.replace(",", "")) for n in NUMBER.findall(value)]
    return [] if value is None or isinstance(value, bool) else [value]


def assert_told(shown: str, values: list[Any]) -> None:
    """The numbers shown are the field's, to the last digit shown."""
    if any(isinstance(value, str) for value in values):
        assert html.unescape(shown.replace("\\", "")) == "; ".join(values)
        return
    expected = [number for value in values for number in numbers_of(value)]
    told = NUMBER.findall(shown)
    assert len(told) == len(expected), (shown, expected)
    for text, number in zip(told, expected, strict=True):
        decimals = len(text.partition(".")[2])
        assert abs(float(text.replace(",", "")) - number) <= 0.5000001 * 10**-decimals


def sentences(text: str) -> list[str]:
    """Sentences and table rows, without headings and what is quoted from the project's tables."""
    quoted = [*LIMITS]
    for each in REFERENCES.values():
        quoted += [each.law.title, each.law.date, each.law.applies, f"{each.place}, {each.subject}"]
    with speaking("zh"):
        quoted += [say(each) for each in [*LIMITS, *quoted]]
        quoted += [say(each.place) for each in REFERENCES.values()]
    for each in sorted(map(escape, quoted), key=len, reverse=True):
        text = text.replace(each, "")
    blocks = [b for b in re.split(r"\n\n|\n(?=[|#-])", text) if not b.startswith("#")]
    return [s for block in blocks for s in re.split(r"(?<=[.:;])\s|(?<=[。：；])", block)]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("case", sorted(set(ODD) - {"hostile", "long names", "77 labels"}))
def test_every_number_is_that_of_the_report_field_named_beside_it(
    case: str, document: str, language: Any
) -> None:
    """Against the reports, walked by hand; and no number stands without a field."""
    make_page(ODD[case], language=language)
    text = Path("build/report", document).read_text(encoding="utf-8")
    policy = json.loads(Path("build/evaluate/report.json").read_text())["policy_digest"]
    made = ODD[case](report_factory.make(policy))
    reports = {stage: report.model_dump(mode="json") for stage, report in made.items()}
    cited = list(CITED.finditer(text))
    assert len(cited) >= 15
    for each in cited:
        assert_told(each["shown"], look_up(reports, each["path"]))
    origins = [facts["package"] + " " + facts["version"] for facts in PROVENANCE["files"].values()]  # type: ignore[attr-defined]
    licences = [facts["content_licence"] or "" for facts in PROVENANCE["files"].values()]  # type: ignore[attr-defined]
    for sentence in sentences(text):
        left = CITED.sub("", sentence)
        for known in (*origins, *filter(None, licences)):
            left = left.replace(known, "")
        names = re.sub("Macro-F1|宏平均 F1|int8-[a-z-]+", "", left)
        assert not re.search(r"\d", names), sentence


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("case", ["hostile", "long names", "77 labels"])
def test_hostile_names_break_out_of_no_table_and_run_nothing(case: str, document: str) -> None:
    make_page(ODD[case])
    text = Path("build/report", document).read_text(encoding="utf-8")
    assert not re.search(r"<(script|img)", text)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_the_technical_file_has_the_nine_points_of_annex_iv() -> None:
    make_page()
    text = Path("build/report/technical_file.md").read_text()
    assert re.findall(r"(?m)^## (\d)", text) == [str(number) for number in range(1, 10)]


def test_the_rules_and_their_references_are_those_of_the_policy() -> None:
    make_page()
    text = Path("build/report/technical_file.md").read_text()
    page = Path("build/report/index.html").read_text().replace("<wbr>", "")
    for rule in ("gender-accuracy", "policy-set-first"):
        assert f"| {rule} | **" in text
    assert escape(REFERENCES["eu-ai-act-10"].law.applies) in text
    assert "See EU AI Act, Article 10; NIST AI RMF, MEASURE 2.11" in page
    assert page.count("An approver may waive it.") == 10


def test_features_in_bfloat16_are_told_with_their_distance_from_what_is_shipped() -> None:
    make_page()
    told = "evaluated and shipped in single"
    assert told not in Path("build/report/technical_file.md").read_text()
    make_page(ODD["smaller and private"])
    text = Path("build/report/technical_file.md").read_text()
    assert f"computed in **bfloat16** (`features.precision`), and is {told}" in text
    assert "**0.029** (`features.rounding.difference`)" in text


def test_a_linear_head_is_said_to_be_solved_and_no_epoch_to_be_chosen() -> None:
    make_page()
    assert "Validation rows chose the epoch" in Path("build/report/technical_file.md").read_text()
    make_page(lambda made: replaced(made, "finetune", gradient_norm=1e-10))
    text = Path("build/report/technical_file.md").read_text()
    assert "the epoch" not in text
    assert "fitted to the least training loss" in text
