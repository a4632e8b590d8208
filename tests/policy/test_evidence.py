"""Paths into reports: what is found, and that nothing unsound is."""

import math
from typing import Any

import pytest

from pipeline.policy import evidence
from pipeline.policy.evidence import MissingEvidenceError, Step

REPORTS: dict[str, Any] = {
    "audit": {
        "gaps": [
            {"column": "gender", "metric": "accuracy", "gap": 1},
            {"column": "gender", "metric": "selection_rate", "gap": 2},
            {"column": "domain", "metric": "accuracy", "gap": 3},
        ],
        "crows_pairs": None,
    }
}


def test_a_path_is_names_and_the_fields_that_choose_from_a_list() -> None:
    steps = evidence.parse_path("audit.gaps[column=gender,metric=accuracy].gap")
    chosen = (("column", "gender"), ("metric", "accuracy"))
    assert steps == (Step("audit"), Step("gaps", chosen), Step("gap"))


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[b]", "a[=c]", "a[b=]", "a]b", "a[b=c]d"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no path|chooses nothing"):
        evidence.parse_path(text)


def test_every_entry_that_is_chosen_is_evidence() -> None:
    assert evidence.find(REPORTS, "audit.gaps[column=gender].gap") == [1, 2]
    assert evidence.find(REPORTS, "audit.gaps[metric=accuracy,column=domain].gap") == [3]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("evaluate.model", "there is no evaluate"),
        ("audit.gap", "audit has no gap; did you mean 'gaps'"),
        ("audit.gaps.gap", "audit.gaps is .*, which has no gap"),
        ("audit.crows_pairs.score", "audit.crows_pairs is null, which has no score"),
        ("audit.gaps[column=age].gap", r"there is no gaps\[column=age\]"),
        ("audit.gaps[colour=red].gap", "an entry of gaps has no colour"),
        ("audit.crows_pairs[a=b].x", "crows_pairs is null, not a list"),
        ("audit.gaps[column=gender].high", r"gaps\[column=gender\] has no high"),
    ],
)
def test_a_step_that_leads_nowhere_is_named(path: str, named: str) -> None:
    with pytest.raises(MissingEvidenceError, match=named):
        evidence.find(REPORTS, path)


def test_an_entry_that_hides_from_the_choice_is_missing_evidence() -> None:
    """A failed check whose severity is gone must not drop out of `[severity=error]`."""
    rows = [{"severity": "error", "passed": True}, {"passed": False}]
    with pytest.raises(MissingEvidenceError, match="an entry of rows has no severity"):
        evidence.find({"validate": {"rows": rows}}, "validate.rows[severity=error].passed")


@pytest.mark.parametrize("value", [True, "0.3", "NaN", None, [], {}, math.nan, -math.inf, 10**400])
def test_what_is_no_finite_number_is_missing(value: Any) -> None:
    with pytest.raises(MissingEvidenceError):
        evidence.read_number(value)


@pytest.mark.parametrize("value", ["", "  ", None, 3, True, []])
def test_what_is_no_text_is_missing(value: Any) -> None:
    with pytest.raises(MissingEvidenceError):
        evidence.read_text(value)


GOOD = {"point": 0.5, "low": 0.4, "high": 0.6, "n": 100, "confidence": 0.95, "note": "why"}


def test_a_sound_estimate_is_read() -> None:
    assert evidence.read_figure(GOOD, 100, 0.95) == evidence.Figure(0.5, 0.4, 0.6, 100)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"point": None}, "undefined: why"),
        ({"low": None}, "null, not a number"),
        ({"high": math.nan}, "nan, not a figure"),
        ({"low": 0.7}, "upside down"),
        ({"n": 99}, "rests on 99, and the rule asks for 100"),
        ({"n": 100.5}, "rests on 100.5"),
        ({"n": True}, "rests on True"),
        ({"n": None}, "rests on null"),
        ({"confidence": 0.9}, "confidence is 0.9, and the policy asks for 0.95"),
        ({"confidence": None}, "null, not a number"),
    ],
)
def test_an_estimate_that_is_unsound_or_thin_is_missing(change: Any, named: str) -> None:
    with pytest.raises(MissingEvidenceError, match=named):
        evidence.read_figure(GOOD | change, 100, 0.95)


@pytest.mark.parametrize("key", ["point", "low", "high", "n", "confidence"])
def test_an_estimate_with_a_field_less_is_missing(key: str) -> None:
    with pytest.raises(MissingEvidenceError, match=f"has no {key}"):
        evidence.read_figure({k: v for k, v in GOOD.items() if k != key}, 1, 0.95)
