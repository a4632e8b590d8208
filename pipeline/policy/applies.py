"""Which rules apply, by ``applies`` of policy.yaml and the reports, as JSON by stage."""

from collections.abc import Mapping
from typing import Any

from pipeline.policy.rules import Rule


def applies(rule: Rule, evidence: Mapping[str, Any]) -> bool:
    """Return whether a rule applies to what the reports describe; in doubt it does."""
    if rule.applies == "with_champion":
        return evidence["champion"] is not None
    if rule.applies == "frozen_encoder":  # if the mode cannot be read, the rule applies
        finetune = evidence.get("finetune")
        return not (isinstance(finetune, Mapping) and finetune.get("mode") == "full")
    if rule.applies == "with_canaries":  # likewise: only an empty list shows that none was planted
        tokenise = evidence.get("tokenise")
        return not (isinstance(tokenise, Mapping) and tokenise.get("canaries") == [])
    if rule.applies in {"with_onnx", "with_int8"}:
        return _is_exported(rule.applies.removeprefix("with_"), evidence.get("export"))
    return True


def _is_exported(name: str, export: Any) -> bool:
    """Return whether the bundle holds this format: True, too, where that cannot be read."""
    listed = export.get("formats") if isinstance(export, Mapping) else None
    if not isinstance(listed, list | tuple):
        return True
    made = {str(each.get("format")) if isinstance(each, Mapping) else "" for each in listed}
    return name in made or not made <= {"onnx", "int8"}
