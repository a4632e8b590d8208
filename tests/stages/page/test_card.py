"""The model card: the hub reads it, and no text from data becomes markup."""

import re
from pathlib import Path
from typing import Any

import page_cases
import pytest
import report_factory
from huggingface_hub import ModelCard
from page_cases import ODD, make_page

from pipeline.stages.page.card import escape


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def card_text() -> str:
    return Path("build/report/model_card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", ODD)
def test_the_card_is_one_that_the_hub_reads(case: str) -> None:
    """Against huggingface_hub's own parser."""
    make_page(ODD[case], title="Sentiment: [a] #1")
    evaluate: Any = ODD[case](report_factory.make())["evaluate"]
    data = ModelCard(card_text()).data
    assert data.model_name == "Sentiment: [a] #1"
    assert (data.language, data.license) == ("en", "apache-2.0")
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-classification")
    assert data.datasets == ["ratings"]
    found = {result.metric_type: result.metric_value for result in data.eval_results}
    accuracy = evaluate.model.accuracy.point
    assert found.get("accuracy") == accuracy
    assert found["f1"] == pytest.approx(evaluate.model.macro_f1.point, abs=5e-5)


def test_hostile_text_breaks_out_of_neither_yaml_nor_a_table() -> None:
    """Against the parsers: front matter of its own keys, rows of as many cells as their head."""
    title = "a: 'b'\n---\nlicense: gpl\n- [x](javascript:run()) | <script>"
    make_page(ODD["hostile"], title=title)
    text = card_text()
    data = ModelCard(text).data
    assert (data.license, data.model_name) == ("apache-2.0", title)
    body = text.split("\n---\n", 1)[1]
    assert not re.search(r"<(script|img)", body)
    assert not re.search(r"(?<!\\)\]\(javascript", body)
    for table in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("0.794 [0.781, 0.806]", "0.794 [0.781, 0.806]"),
        ("a|b", "a\\|b"),
        ("[x](y)", "[x\\](y)"),
        ("[x]: y", "[x\\]: y"),
        ("<i>\n# b", "&lt;i&gt; \\# b"),
        ("a_b*c`d", "a\\_b\\*c\\`d"),
    ],
)
def test_markdown_marks_are_escaped_and_figures_are_not(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize(
    ("origin", "base"),
    [
        ("scratch", None),
        ("org/model", "org/model"),
        ("data/models/mini", "minipack"),
        ("data/models/unknown", None),
    ],
)
def test_the_base_model_is_named_only_where_its_name_is_known(
    origin: str, base: str | None
) -> None:
    provenance = {
        "source": "packages",
        "files": {"models/mini/config.json": {"package": "minipack", "sha256": "2" * 64}},
    }
    make_page(lambda made: page_cases.replaced(made, "pretrain", origin=origin), provenance)
    assert ModelCard(card_text()).data.base_model == base
