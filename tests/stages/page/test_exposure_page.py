"""Explanation, privacy and personal data on page and card: in words that follow the intervals."""

from pathlib import Path
from typing import Any

import pytest
import report_factory
from page_cases import UNDEFINED, Reports, make_page, read_page, replaced
from report_factory import estimate

from pipeline.reports import Estimate, ExplanationReport, PrivacyReport
from pipeline.stages.page import data, explanation, privacy


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def attacked(rate: Estimate, auc: Estimate) -> PrivacyReport:
    made: Any = report_factory.make()["audit"]
    found = made.privacy.membership.model_copy(update={"true_positive_rate": rate, "auc": auc})
    return made.privacy.model_copy(update={"membership": found})


def explained(**changes: Estimate) -> ExplanationReport:
    made: Any = report_factory.make()["audit"]
    return made.explanation.model_copy(update=changes)


@pytest.mark.parametrize(
    ("rate", "auc", "words"),
    [
        (estimate(0.03, 0.01), estimate(0.5, 0.02), "remembers some of its rows"),
        (estimate(0.03, 0.025), estimate(0.55, 0.02), "remembers a little of its rows"),
        (estimate(0.03, 0.025), estimate(0.51, 0.02), "no memory of its rows was shown"),
        (UNDEFINED, estimate(0.55, 0.02), "was not measured"),
    ],
)
def test_the_head_is_said_to_remember_where_an_interval_is_above_chance(
    rate: Estimate, auc: Estimate, words: str
) -> None:
    assert words in privacy.in_words(attacked(rate, auc))


def test_an_attack_that_was_not_made_is_told_with_its_reason() -> None:
    none = PrivacyReport(membership=None, not_evaluated={"Membership inference": "no head"})
    assert privacy.membership(none) is None
    assert privacy.in_words(none) == "Membership inference was not evaluated: no head."

    def without(made: dict[str, Any]) -> dict[str, Any]:
        return {**made, "audit": made["audit"].model_copy(update={"privacy": none})}

    make_page(without)
    assert "Membership inference was not evaluated: no head." in read_page()


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (estimate(0.2, 0.1), "matter more to the answer than words drawn at random"),
        (estimate(0.05, 0.1), "were not shown to matter more"),
        (UNDEFINED, "could not be tested"),
    ],
)
def test_the_account_is_said_to_hold_where_both_gains_are_above_nothing(
    gain: Estimate, words: str
) -> None:
    assert words in explanation.in_words(explained(sufficiency_gain=gain))


def test_words_of_an_error_are_shaded_by_their_share_and_escaped() -> None:
    (error,) = explanation.errors(explained())
    assert [(word.percent, word.way) for word in error.words] == [
        (2, ""),
        (100, "for"),
        (32, "against"),
        (0, ""),
    ]
    make_page()
    assert (
        '<span class="word for" style="--share: 100%">&lt;b&gt;great&lt;/b&gt;</span>'
        in read_page()
    )


def test_personal_data_is_told_by_kind_and_its_absence_too() -> None:
    made: Any = report_factory.make()["validate"]
    assert data.personal_in_words(made).endswith(
        "in e-mail address: 322 rows of the corpus table; telephone number: 26 rows of the corpus "
        "table."
    )
    none = made.model_copy(update={"personal_data": {"corpus": {}, "labelled": {}}})
    assert data.personal_in_words(none).endswith("found in no row.")
    make_page()
    card = Path("build/report/model_card.md").read_text()
    assert "e-mail address: 322 rows" in card
    assert "finds 1.3% of the training rows" in card
    assert "Telephone number" in read_page()


def test_smaller_batches_of_private_shadows_are_told() -> None:
    made: Any = report_factory.make()["audit"]
    found = made.privacy.membership.model_copy(update={"shadow_batch_rows": 486})

    def change(of: Reports) -> Reports:
        privacy = made.privacy.model_copy(update={"membership": found})
        return replaced(of, "audit", privacy=privacy)

    make_page()
    assert "so theirs have" not in read_page()
    make_page(change)
    assert "so theirs have 486, with the noise" in " ".join(read_page().split())
