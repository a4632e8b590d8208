"""Planted secrets and the private head on page, card and documents: words follow the figures."""

from pathlib import Path
from typing import Any

import pytest
import report_factory
from page_cases import BUDGET, make_page, read_page, replaced

from pipeline.reports import FinetuneReport, PrivacyReport
from pipeline.stages.page import canaries, privacy


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def exposed(*p_values: float) -> PrivacyReport:
    """Planted never, once, 4 and 16 times, with these p-values."""
    found: Any = report_factory.make()["audit"]
    levels = found.privacy.canaries.levels
    changed = [
        level.model_copy(update={"p_value": p}) for level, p in zip(levels, p_values, strict=True)
    ]
    report = found.privacy.canaries.model_copy(update={"levels": tuple(changed)})
    return found.privacy.model_copy(update={"canaries": report})


@pytest.mark.parametrize(
    ("p_values", "words"),
    [
        ((0.5, 0.4, 0.3, 0.2), "No memory of a planted secret was shown; a mean of 3.7 bits"),
        ((0.5, 0.4, 0.3, 0.001), "remembers secrets that were planted 16 times"),
        ((0.5, 0.02, 0.3, 0.001), "remembers secrets that were planted once"),
        ((0.001, 0.4, 0.3, 0.2), "No memory"),  # the control was never planted
        ((0.5, 0.4, 0.3, 0.03), "No memory"),  # the intervals are two-sided
    ],
)
def test_memory_is_told_by_the_fewest_repeats_that_show_it(
    p_values: tuple[float, ...], words: str
) -> None:
    told = canaries.in_words(exposed(*p_values))
    assert words in told
    assert told.endswith("Training met each planted copy 0.50 times on average.")


def test_where_none_was_planted_the_page_says_so() -> None:
    why = "tokenise.canaries is off, so no secret was planted"

    def off(made: dict[str, Any]) -> dict[str, Any]:
        attacked = made["audit"].privacy.model_copy(
            update={"canaries": None, "not_evaluated": {"Planted secrets": why}}
        )
        made = replaced(made, "audit", privacy=attacked)
        return replaced(made, "tokenise", canaries=(), planted_documents=0)

    make_page(off)
    assert f"was not tested: {why}." in read_page()
    assert "Exposure of planted secrets" not in read_page()
    assert "made-up secrets" not in Path("build/report/data_sheet.md").read_text()


def test_planted_secrets_are_on_the_page_and_counted_in_the_data_sheet() -> None:
    make_page()
    assert "Exposure of planted secrets, in bits" in read_page()
    sheet = Path("build/report/data_sheet.md").read_text()
    assert "**21** (`tokenise.planted_documents`) documents" in sheet


def test_the_budget_is_told_with_what_it_does_not_cover() -> None:
    def private(made: dict[str, Any]) -> dict[str, Any]:
        return replaced(made, "finetune", private=BUDGET)

    made: Any = report_factory.make()["finetune"]
    told = privacy.private_in_words(made.model_copy(update={"private": BUDGET}))
    for words in ("e to the 7.99", "a chance of 1e-05", "2,850 steps", "spend more", "Validation"):
        assert words in told
    assert isinstance(made, FinetuneReport)
    make_page(private)
    assert told.split(".")[0] in read_page()
    assert "e to the 7.99" in Path("build/report/model_card.md").read_text()
    technical = Path("build/report/technical_file.md").read_text()
    assert "**7.990** (`finetune.private.epsilon`)" in technical


def test_a_head_without_it_is_said_to_be_without_it() -> None:
    make_page()
    assert "fitted without differential privacy" in read_page()
