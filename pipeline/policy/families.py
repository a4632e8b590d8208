"""Families of rules on p-values: Holm's adjustment, so that many tests do not pass one by luck."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.policy.evidence import MissingEvidenceError, find, read_number
from pipeline.policy.rules import Rule


def adjust(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given.

    With m values in ascending order, the i-th becomes the largest of (m - j + 1) p_j over j <= i,
    at most 1 (Holm 1979, A simple sequentially rejective multiple test procedure).
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def adjust_families(rules: Iterable[Rule], evidence: Mapping[str, Any]) -> dict[str, float]:
    """Return each p-value's rule with its value, adjusted among the rules of its family.

    A rule without a sound p-value counts as one of 1, so that a missing test does not make the
    others easier; it is judged by its evidence, not by this.
    """
    families: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.family is not None:
            families.setdefault(rule.family, []).append(rule)
    return {
        rule.id: p_value
        for members in families.values()
        for rule, p_value in zip(
            members, adjust([_largest(rule, evidence) for rule in members]), strict=True
        )
    }


def read_p_value(value: Any) -> float:
    """Return a p-value; what is none is missing evidence."""
    number = read_number(value)
    if not 0 <= number <= 1:
        raise MissingEvidenceError(f"the value is {number:g}, not a p-value")
    return number


def _largest(rule: Rule, evidence: Mapping[str, Any]) -> float:
    try:
        return max(map(read_p_value, find(evidence, rule.metric)))
    except MissingEvidenceError:
        return 1.0
