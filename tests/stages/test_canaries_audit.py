"""The audit of planted secrets: what it reports, and that what it did not do passes for nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_factory
import toy_canaries

from pipeline import params, reports
from pipeline.params import CanaryParams
from pipeline.reports import PrivacyReport
from pipeline.stages.audits import canaries
from pipeline.stages.audits.preferences import LanguageModel
from pipeline.text.canaries import draw_canaries
from pipeline.track import Silent

ROOT = Path(__file__).parents[2]
DRAWN = draw_canaries(CanaryParams(secrets=2, digits=4, seed=1))
NOTHING = PrivacyReport(membership=None, not_evaluated={"Membership inference": "no head"})


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = report_factory.make()
    plant(DRAWN)
    reports.write("pretrain", made["pretrain"].model_copy(update={"tokens": 12_000_000}))


def plant(drawn: Any) -> None:
    tokenised = report_factory.make()["tokenise"]
    reports.write("tokenise", tokenised.model_copy(update={"canaries": drawn}))


def language_model(digits: str = "0123456789") -> LanguageModel:
    """An untrained model whose tokenizer knows these digits."""
    section = params.load(ROOT / "params.yaml").audit
    section = section.model_copy(update={"canary_candidates": 19})
    return LanguageModel(
        toy_canaries.model(), toy_canaries.tokenizer(digits), section, Silent(), Path("audit")
    )


def test_every_level_is_reported_with_its_secrets_and_how_often_training_met_them() -> None:
    """12 million tokens of a text of 6 million: each is read twice as often as it is planted."""
    found = canaries.add_canaries(NOTHING, language_model())
    assert found.not_evaluated == NOTHING.not_evaluated
    assert found.canaries
    named = {level.name: level for level in found.canaries.levels}
    assert list(named) == ["never", "once", "4 times", "16 times"]
    assert [level.times_read for level in named.values()] == [0, 2, 8, 32]
    assert all(level.exposure.n == 2 for level in named.values())
    assert all(0 <= (level.exposure.point or -1) <= np.log2(20) for level in named.values())
    assert found.canaries.candidates == 19
    assert canaries.add_canaries(NOTHING, language_model()) == found


@pytest.mark.parametrize(
    ("drawn", "digits", "competent", "why"),
    [
        ((), "0123456789", True, canaries.OFF),
        (DRAWN, "0123456789", False, canaries.INCOMPETENT),
        (DRAWN, "01234", True, canaries.NO_DIGITS),
    ],
)
def test_what_was_not_measured_has_a_reason_and_no_figure(
    drawn: Any, digits: str, competent: bool, why: str
) -> None:
    plant(drawn)
    found = canaries.add_canaries(NOTHING, language_model(digits) if competent else None)
    assert found.canaries is None
    assert found.not_evaluated == {**NOTHING.not_evaluated, canaries.CANARIES: why}
