"""Families of rules on p-values, adjusted by Holm, so that no rule passes by many tries."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.policy.evidence import MissingEvidenceError, find, read_number
from pipeline.policy.multiplicity import holm
from pipeline.policy.rules import Rule


def adjust_families(rules: Iterable[Rule], evidence: Mapping[str, Any]) -> dict[str, float]:
    """Return the p-value of each rule that has a family, adjusted among the rules of the family.

    A rule without a valid p-value gets 1 and counts in the family, so that a missing test does not
    make the others easier to pass; it is itself judged by its evidence.
    """
    families: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.family is not None:
            families.setdefault(rule.family, []).append(rule)
    return {
        rule.id: 1.0 if p_value is None else p_value
        for members in families.values()
        for rule, p_value in zip(
            members, holm([_largest(rule, evidence) for rule in members]), strict=True
        )
    }


def read_p_value(value: Any) -> float:
    """Return a p-value; a number outside 0 to 1 is missing evidence."""
    number = read_number(value)
    if not 0 <= number <= 1:
        raise MissingEvidenceError(f"the value is {number:g}, not a p-value")
    return number


def _largest(rule: Rule, evidence: Mapping[str, Any]) -> float | None:
    try:
        return max(map(read_p_value, find(evidence, rule.metric)))
    except MissingEvidenceError:
        return None
