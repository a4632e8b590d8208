"""The gate: from reports and a policy to a decision. It computes, and reads and writes nothing.

Only a rule that passes speaks for promotion. Evidence that is missing, undefined, not finite,
malformed or resting on too little is ``not_evaluated``; an interval across a threshold is
``inconclusive``; neither is ever a pass.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pipeline.policy.evidence import (
    Figure,
    MissingEvidenceError,
    find,
    read_figure,
    read_number,
    read_text,
)
from pipeline.policy.rules import Policy, Rule, Severity
from pipeline.reports import Estimate, Report

Verdict = Literal["fail", "not_evaluated", "inconclusive", "pass"]
_WORST_FIRST: tuple[Verdict, ...] = ("fail", "not_evaluated", "inconclusive", "pass")


class ChampionComparison(Report):
    """The challenger against the champion on the same test rows."""

    version: str  # of the champion, in the registry
    difference: (
        Estimate  # of accuracies, challenger minus champion; its note says why there is none
    )
    p_value: float | None


class RuleVerdict(Report):
    """What became of one rule."""

    rule: str
    metric: str
    severity: Severity
    verdict: Verdict
    blocks: bool  # whether this alone keeps the bundle from promotion
    observed: str  # in words
    required: str  # in symbols
    reason: str
    why: str  # the rule's
    min: float | None  # the rule's thresholds, for a picture
    max: float | None
    point: float | None = None  # what was observed, where it is a figure
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def effect(self) -> str:
        """What this verdict does to the bundle: blocks, warns, or nothing."""
        if self.verdict == "pass":
            return ""
        return "blocks" if self.blocks else "warns"


class Decision(Report):
    """Whether a bundle is promoted, and each rule's verdict."""

    promote: bool
    policy_digest: str
    verdicts: tuple[RuleVerdict, ...]
    not_applicable: tuple[str, ...]  # ids of rules whose `applies` is not met
    champion: ChampionComparison | None

    def reasons(self) -> tuple[str, ...]:
        """Return why the bundle is not promoted, a sentence a rule."""
        return tuple(f"{v.rule}: {v.reason}" for v in self.verdicts if v.blocks)

    def warnings(self) -> tuple[str, ...]:
        """Return what did not pass and does not block, a sentence a rule."""
        doubtful = [v for v in self.verdicts if v.verdict != "pass" and not v.blocks]
        return tuple(f"{v.rule}: {v.reason}" for v in doubtful)

    def summary(self) -> str:
        """Return the decision as lines of text for a terminal."""
        rows = [("verdict", "effect", "rule", "observed", "required")]
        rows += [(v.verdict, v.effect, v.rule, v.observed, v.required) for v in self.verdicts]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines += [f"does not apply: {rule}" for rule in self.not_applicable]
        lines += [f"warning: {reason}" for reason in self.warnings()]
        lines += [f"refused: {reason}" for reason in self.reasons()]
        return "\n".join([*lines, f"the gate {'passes' if self.promote else 'refuses'} it"])


def decide(
    reports: Mapping[str, Any], policy: Policy, champion: ChampionComparison | None
) -> Decision:
    """Judge the reports, as JSON by stage; with no champion, rules that need one do not apply."""
    evidence = {**reports, "policy": {"digest": policy.digest}}
    evidence["champion"] = champion.model_dump(mode="json") if champion else None
    applicable = [rule for rule in policy.rules if _applies(rule, evidence)]
    verdicts = tuple(_judge_rule(rule, evidence, policy.confidence) for rule in applicable)
    return Decision(
        promote=bool(verdicts) and not any(verdict.blocks for verdict in verdicts),
        policy_digest=policy.digest,
        verdicts=verdicts,
        not_applicable=tuple(rule.id for rule in policy.rules if rule not in applicable),
        champion=champion,
    )


def _applies(rule: Rule, evidence: Mapping[str, Any]) -> bool:
    if rule.applies == "with_champion":
        return evidence["champion"] is not None
    if rule.applies == "frozen_encoder":  # where the mode cannot be read, the rule applies
        finetune = evidence.get("finetune")
        return not (isinstance(finetune, Mapping) and finetune.get("mode") == "full")
    return True


def _judge_rule(rule: Rule, evidence: Mapping[str, Any], confidence: float) -> RuleVerdict:
    """Judge every value at the rule's path; the worst verdict is the rule's."""
    try:
        values = find(evidence, rule.metric)
        judged = [_judge(rule, value, evidence, confidence) for value in values]
    except MissingEvidenceError as missing:
        judged = [_verdict(rule, "not_evaluated", "nothing", str(missing))]
    return min(judged, key=lambda verdict: _WORST_FIRST.index(verdict.verdict))


def _judge(rule: Rule, value: Any, evidence: Mapping[str, Any], confidence: float) -> RuleVerdict:
    try:
        if rule.same_as is not None:
            return _judge_same(rule, read_text(value), find(evidence, rule.same_as))
        if rule.equals is not None:
            return _judge_equal(rule, value)
        if isinstance(value, Mapping):
            return _judge_figure(rule, read_figure(value, rule.min_n or 1, confidence))
        return _judge_number(rule, read_number(value))
    except MissingEvidenceError as missing:
        return _verdict(rule, "not_evaluated", "nothing", f"{rule.metric}: {missing}")


def _judge_same(rule: Rule, value: str, others: list[Any]) -> RuleVerdict:
    same = all(read_text(other) == value for other in others)
    reason = "they are the same" if same else f"{rule.metric} is not what {rule.same_as} is"
    return _verdict(rule, "pass" if same else "fail", value[:12], reason)


def _judge_equal(rule: Rule, value: Any) -> RuleVerdict:
    if type(value) is not type(rule.equals):
        raise MissingEvidenceError(f"the value is {value!r}, of another type than {rule.equals!r}")
    observed = json.dumps(value)
    reason = f"{rule.metric} is {observed}"
    return _verdict(rule, "pass" if value == rule.equals else "fail", observed, reason)


def _judge_number(rule: Rule, value: float) -> RuleVerdict:
    if rule.min_n is not None:
        raise MissingEvidenceError(
            "a plain number does not say what it rests on; name its estimate"
        )
    within = _is_within(rule, value, value)
    reason = f"{rule.metric} is {value:g}, {'within' if within else 'not'} {rule.required()}"
    return _verdict(rule, "pass" if within else "fail", f"{value:g}", reason, point=value)


def _judge_figure(rule: Rule, figure: Figure) -> RuleVerdict:
    verdict: Verdict = "inconclusive"
    if _is_within(rule, figure.low, figure.high):
        verdict = "pass"
    elif _is_outside(rule, figure.low, figure.high):
        verdict = "fail"
    words = {"pass": "lies within", "fail": "lies outside", "inconclusive": "lies across"}
    observed = f"{figure.point:.3g} [{figure.low:.3g}, {figure.high:.3g}] n {figure.n}"
    reason = f"the interval [{figure.low:.3g}, {figure.high:.3g}] {words[verdict]} the limit"
    reason += f" {rule.required()}"
    return _verdict(rule, verdict, observed, reason, **vars(figure))


def _is_within(rule: Rule, low: float, high: float) -> bool:
    return (rule.min is None or low >= rule.min) and (rule.max is None or high <= rule.max)


def _is_outside(rule: Rule, low: float, high: float) -> bool:
    return (rule.min is not None and high < rule.min) or (rule.max is not None and low > rule.max)


def _verdict(
    rule: Rule, verdict: Verdict, observed: str, reason: str, **figure: Any
) -> RuleVerdict:
    lenient = {"not_evaluated": rule.on_missing, "inconclusive": rule.on_inconclusive}
    spared = verdict == "pass" or lenient.get(verdict) == "warn"
    return RuleVerdict(
        rule=rule.id,
        metric=rule.metric,
        severity=rule.severity,
        verdict=verdict,
        blocks=rule.severity == "block" and not spared,
        observed=observed,
        required=rule.required(),
        reason=reason,
        why=rule.why,
        min=rule.min,
        max=rule.max,
        **figure,
    )
