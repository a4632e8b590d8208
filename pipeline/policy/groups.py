"""Groups that a gap leaves out because they have too few rows: never a pass.

In the reports a gap is an entry with ``groups_compared`` and ``groups_left_out``; its figures are
about the first only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.policy.evidence import MissingEvidenceError

_COMPARED = "groups_compared"


def explain_left_out(holders: Sequence[Any], groups: Sequence[str]) -> str:
    """Return which required groups were not compared, and why; empty if all were.

    ``holders`` are the mappings and lists around a figure, of which one may be a gap. ``groups``
    must be compared; if it is empty, every group of the data must.

    Raises:
        MissingEvidenceError: where the data have no such group, or the report is malformed.
    """
    gaps = _gaps(holders)
    if groups and not gaps:
        raise MissingEvidenceError("no groups are compared there")
    return "; ".join(filter(None, (_say(gap, groups) for gap in gaps)))


def has_too_few_groups(holders: Sequence[Any]) -> bool:
    """Return whether a gap is undefined because fewer than two groups have enough rows."""
    compared = [gap[_COMPARED] for gap in _gaps(holders)]
    return any(isinstance(each, list | tuple) and len(each) < 2 for each in compared)


def _gaps(holders: Sequence[Any]) -> list[Mapping[str, Any]]:
    return [each for each in holders if isinstance(each, Mapping) and _COMPARED in each]


def _say(gap: Mapping[str, Any], groups: Sequence[str]) -> str:
    compared = gap[_COMPARED]
    if not isinstance(compared, list | tuple):
        raise MissingEvidenceError(f"{_COMPARED} is no list of groups")
    wanting = [group for group in groups if group not in compared]
    if groups and not wanting:
        return ""
    left_out = gap.get("groups_left_out")
    if not isinstance(left_out, Mapping):
        raise MissingEvidenceError("groups_left_out does not say why")
    for group in wanting:
        if group not in left_out:
            raise MissingEvidenceError(f"there is no group {group}")
    told = wanting or left_out
    if not told and len(compared) < 2:
        raise MissingEvidenceError("no groups are compared there")
    return "; ".join(f"{group} could not be compared: {left_out[group]}" for group in told)
