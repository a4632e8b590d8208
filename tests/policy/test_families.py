"""Rules of one family through the gate, against Holm's adjustment by hand."""

import pytest

from pipeline.policy import families
from pipeline.policy.evidence import MissingEvidenceError
from pipeline.policy.gate import decide
from pipeline.policy.rules import Policy, Rule


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
