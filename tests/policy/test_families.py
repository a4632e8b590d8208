"""Holm's adjustment: against a hand computation, statsmodels' definition by brute force, a null."""

import numpy as np
import pytest

from pipeline.policy import families
from pipeline.policy.evidence import MissingEvidenceError
from pipeline.policy.gate import decide
from pipeline.policy.rules import Policy, Rule


def test_the_adjusted_values_are_those_computed_by_hand() -> None:
    """0.01 x 4, 0.02 x 3, 0.04 x 2 = 0.08, and 0.045 x 1, which may not be below the one before."""
    assert families.adjust([0.04, 0.01, 0.045, 0.02]) == pytest.approx([0.08, 0.04, 0.08, 0.06])
    assert families.adjust([0.9, 0.8]) == [1.0, 1.0]
    assert families.adjust([]) == []


def test_a_rule_is_rejected_as_the_step_down_procedure_rejects_it() -> None:
    """Against the procedure itself: walk up the sorted values until one is above a / (m - i)."""
    draw = np.random.default_rng(0)
    for _ in range(200):
        p_values = list(draw.uniform(0, 0.1, size=draw.integers(1, 7)))
        rejected = set()
        for rank, place in enumerate(np.argsort(p_values)):
            if p_values[place] > 0.05 / (len(p_values) - rank):
                break
            rejected.add(int(place))
        adjusted = families.adjust(p_values)
        assert {place for place, value in enumerate(adjusted) if value <= 0.05} == rejected


def test_five_tests_of_nothing_pass_one_by_luck_in_a_twentieth_of_runs() -> None:
    """Null simulation: uniform p-values; 22.6% without the adjustment (1 - 0.95^5)."""
    p_values = np.random.default_rng(1).uniform(size=(4000, 5))
    lucky = np.mean([min(families.adjust(list(row))) <= 0.05 for row in p_values])
    assert lucky <= 0.06
    assert np.mean(p_values.min(axis=1) <= 0.05) > 0.2


def rule(name: str) -> Rule:
    return Rule(
        id=name,
        why="w",
        metric=f"evaluate.{name}.p_value",
        statistic="p_value",
        family="few",
        max=0.05,
    )


def decision_on(**p_values: object) -> dict[str, str]:
    policy = Policy(digest="0" * 64, confidence=0.95, rules=tuple(map(rule, ("a", "b", "c"))))
    evidence = {name: {"p_value": value} for name, value in p_values.items()}
    return {v.rule: v.verdict for v in decide({"evaluate": evidence}, policy, None).verdicts}


def test_the_gate_judges_the_adjusted_value() -> None:
    """0.02 alone is below 0.05; third of three it stays 0.02, first of three it is 0.06."""
    assert decision_on(a=0.001, b=0.002, c=0.02) == dict.fromkeys("abc", "pass")
    assert decision_on(a=0.02, b=0.5, c=0.6) == dict.fromkeys("abc", "fail")


@pytest.mark.parametrize("spoilt", [None, float("nan"), -0.1, 1.1, True, "0.01", []])
def test_a_p_value_that_is_none_passes_nothing_and_makes_the_others_no_easier(
    spoilt: object,
) -> None:
    """0.02 among two would become 0.04 and pass; the family still has three."""
    verdicts = decision_on(a=0.02, b=0.5, c=spoilt)
    assert verdicts == {"a": "fail", "b": "fail", "c": "not_evaluated"}


def test_what_is_outside_0_and_1_is_no_p_value() -> None:
    with pytest.raises(MissingEvidenceError, match="not a p-value"):
        families.read_p_value(1.5)
