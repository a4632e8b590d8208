"""The gate: from reports and a policy to a decision. It is pure: it reads and writes nothing.

Only a rule that passes speaks for promotion. Evidence that is missing, undefined, not finite,
malformed or has too little support is ``not_evaluated``, and so is a gap between groups if one that
the rule names has too few rows. An interval across a threshold is ``inconclusive``. Neither is ever
a pass. A valid waiver keeps a rule from blocking if it was judged, or if only a group has too few
rows; it does not turn the verdict into a pass, and missing evidence cannot be waived.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.policy.applies import applies
from pipeline.policy.evidence import (
    Figure,
    MissingEvidenceError,
    find,
    find_held,
    read_figure,
    read_number,
    read_text,
    refuse_parts,
)
from pipeline.policy.families import adjust_families, read_p_value
from pipeline.policy.groups import explain_left_out, has_too_few_groups
from pipeline.policy.rules import Policy, Rule, Severity
from pipeline.policy.waivers import Waiver
from pipeline.reports import Estimate, Report

Verdict = Literal["fail", "not_evaluated", "inconclusive", "pass"]
WORST_FIRST: tuple[Verdict, ...] = ("fail", "not_evaluated", "inconclusive", "pass")


class ChampionComparison(Report):
    """The challenger against the champion on the same test rows."""

    version: str  # of the champion, in the registry
    difference: (
        Estimate  # of accuracies, challenger minus champion; its note says why there is none
    )
    p_value: float | None


class RuleVerdict(Report):
    """The verdict on one rule."""

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
    group_left_out: bool = False  # whether only a group with too few rows is missing
    waivable: bool = False
    waiver: Waiver | None = None  # because of which it does not block
    references: tuple[str, ...] = ()  # ids of `references.REFERENCES`

    @property
    def effect(self) -> str:
        """The effect of this verdict: blocks, warns, waived, or empty for none."""
        if self.verdict == "pass":
            return ""
        if self.waiver:
            return "waived"
        return "blocks" if self.blocks else "warns"


class Decision(Report):
    """Whether a bundle is promoted, and each rule's verdict."""

    promote: bool
    policy_digest: str
    verdicts: tuple[RuleVerdict, ...]
    not_applicable: tuple[str, ...]  # ids of rules whose `applies` is not met
    champion: ChampionComparison | None
    refused_waivers: tuple[str, ...] = ()  # why waivers for this bundle are not valid
    refused_before: tuple[str, ...] = ()  # on the same test rows, under another policy

    def waivers(self) -> tuple[Waiver, ...]:
        """Return the waivers that this decision rests on."""
        return tuple(v.waiver for v in self.verdicts if v.waiver)

    def reasons(self) -> tuple[str, ...]:
        """Return why the bundle is not promoted, a sentence a rule."""
        return tuple(f"{v.rule}: {v.reason}" for v in self.verdicts if v.blocks)

    def warnings(self) -> tuple[str, ...]:
        """Return what did not pass and does not block, a sentence a rule."""
        doubtful = [v for v in self.verdicts if v.effect == "warns"]
        return tuple(f"{v.rule}: {v.reason}" for v in doubtful)

    def summary(self) -> str:
        """Return the decision as lines of text for a terminal."""
        rows = [("verdict", "effect", "rule", "observed", "required")]
        rows += [(v.verdict, v.effect, v.rule, v.observed, v.required) for v in self.verdicts]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines += [f"does not apply: {rule}" for rule in self.not_applicable]
        lines += [f"warning: {reason}" for reason in self.warnings()]
        lines += describe_circumstances(self)
        lines += [f"refused: {reason}" for reason in self.reasons()]
        return "\n".join([*lines, f"the gate {'passes' if self.promote else 'refuses'} it"])


def describe_circumstances(decision: Decision) -> list[str]:
    """Return a line for each waiver (who let what pass, until when, why), then other warnings."""
    told = [
        f"waived: {each.rule} by {each.approver} until {each.expires}: {each.reason};"
        f" instead: {each.compensating_measure}"
        for each in decision.waivers()
    ]
    doubts = (*decision.refused_waivers, *decision.refused_before)
    return told + [f"warning: {why}" for why in doubts]


def decide(
    reports: Mapping[str, Any],
    policy: Policy,
    champion: ChampionComparison | None,
    waivers: Mapping[str, Waiver] | None = None,
) -> Decision:
    """Judge the reports, as JSON by stage; without a champion, rules that need one do not apply.

    ``waivers`` are those valid for this bundle, by rule, as `waivers.accept` returns them.
    """
    evidence = {**reports, "policy": {"digest": policy.digest}}
    evidence["champion"] = champion.model_dump(mode="json") if champion else None
    applicable = [rule for rule in policy.rules if applies(rule, evidence)]
    judge = _Judge(evidence, policy.confidence, adjust_families(applicable, evidence))
    verdicts = tuple(
        _spare(_judge_rule(rule, judge), (waivers or {}).get(rule.id)) for rule in applicable
    )
    return Decision(
        promote=bool(verdicts) and not any(verdict.blocks for verdict in verdicts),
        policy_digest=policy.digest,
        verdicts=verdicts,
        not_applicable=tuple(rule.id for rule in policy.rules if rule not in applicable),
        champion=champion,
    )


def _spare(verdict: RuleVerdict, waiver: Waiver | None) -> RuleVerdict:
    """Apply a waiver to a rule that blocks and was judged, or lacks only a group's rows."""
    missing = verdict.verdict == "not_evaluated" and not verdict.group_left_out
    if waiver is None or not verdict.blocks or missing:
        return verdict
    assert verdict.waivable
    return verdict.model_copy(update={"blocks": False, "waiver": waiver})


@dataclass(frozen=True)
class _Judge:
    """What rules are judged by."""

    evidence: Mapping[str, Any]
    confidence: float
    p_values: Mapping[str, float]  # adjusted, by rule


def _judge_rule(rule: Rule, judge: _Judge) -> RuleVerdict:
    """Judge every value at the rule's path; the worst verdict is the rule's.

    Among those not evaluated, one that cannot be waived counts as worse.
    """
    try:
        judged = [
            _judge_holders(rule, holders, _judge(rule, value, judge))
            for value, holders in find_held(judge.evidence, rule.metric)
        ]
    except MissingEvidenceError as missing:
        judged = [_verdict(rule, "not_evaluated", "nothing", str(missing))]
    return min(judged, key=lambda each: (WORST_FIRST.index(each.verdict), each.group_left_out))


def _judge(rule: Rule, value: Any, judge: _Judge) -> RuleVerdict:
    try:
        if rule.same_as is not None:
            return _judge_same(rule, read_text(value), find(judge.evidence, rule.same_as))
        if rule.equals is not None:
            return _judge_equal(rule, value)
        if rule.statistic == "p_value":
            return _judge_p_value(rule, read_p_value(value), judge.p_values[rule.id])
        if isinstance(value, Mapping):
            figure = read_figure(value, rule.min_n or 1, judge.confidence)
            return _judge_figure(rule, figure)
        if rule.statistic is not None:
            raise MissingEvidenceError(f"a plain number has no {rule.statistic}; name an estimate")
        return _judge_number(rule, read_number(value))
    except MissingEvidenceError as missing:
        return _verdict(rule, "not_evaluated", "nothing", f"{rule.metric}: {missing}")


def _judge_holders(rule: Rule, holders: tuple[Any, ...], judged: RuleVerdict) -> RuleVerdict:
    """Replace a verdict on a part of an estimate, or on a gap that leaves a required group out.

    The verdict is then not_evaluated; a gap that fails without that group still fails.
    """
    try:
        refuse_parts(holders)
        told = explain_left_out(holders, rule.groups)
    except MissingEvidenceError as missing:
        return _verdict(rule, "not_evaluated", "nothing", f"{rule.metric}: {missing}")
    if judged.verdict == "fail" or not told:
        return judged
    sound = judged.verdict != "not_evaluated" or has_too_few_groups(holders)
    reason = f"{rule.metric}: {told}"
    return _verdict(rule, "not_evaluated", "nothing", reason, group_left_out=sound)


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


def _judge_p_value(rule: Rule, value: float, adjusted: float) -> RuleVerdict:
    within = _is_within(rule, adjusted, adjusted)
    observed = f"{value:.3g}, adjusted {adjusted:.3g}"
    reason = f"the p-value {value:.3g}, adjusted to {adjusted:.3g} in its family by Holm, is"
    reason += f" {'within' if within else 'not'} {rule.required()}"
    return _verdict(rule, "pass" if within else "fail", observed, reason)


def _judge_number(rule: Rule, value: float) -> RuleVerdict:
    if rule.min_n is not None:
        raise MissingEvidenceError(
            "a plain number does not say what it rests on; name its estimate"
        )
    within = _is_within(rule, value, value)
    reason = f"{rule.metric} is {value:g}, {'within' if within else 'not'} {rule.required()}"
    return _verdict(rule, "pass" if within else "fail", f"{value:g}", reason, point=value)


def _judge_figure(rule: Rule, figure: Figure) -> RuleVerdict:
    of_point = rule.statistic == "point"
    low, high = (figure.point, figure.point) if of_point else (figure.low, figure.high)
    verdict: Verdict = "inconclusive"
    if _is_within(rule, low, high):
        verdict = "pass"
    elif _is_outside(rule, low, high):
        verdict = "fail"
    words = {"pass": "lies within", "fail": "lies outside", "inconclusive": "lies across"}
    observed = f"{figure.point:.3g} [{figure.low:.3g}, {figure.high:.3g}] n {figure.n}"
    asked = f"point {low:.3g}" if of_point else f"interval [{low:.3g}, {high:.3g}]"
    reason = f"the {asked} {words[verdict]} the limit {rule.required()}"
    return _verdict(rule, verdict, observed, reason, **vars(figure))


def _is_within(rule: Rule, low: float, high: float) -> bool:
    return (rule.min is None or low >= rule.min) and (rule.max is None or high <= rule.max)


def _is_outside(rule: Rule, low: float, high: float) -> bool:
    return (rule.min is not None and high < rule.min) or (rule.max is not None and low > rule.max)


def _verdict(rule: Rule, verdict: Verdict, observed: str, reason: str, **more: Any) -> RuleVerdict:
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
        waivable=rule.waivable,
        references=rule.references,
        **more,
    )
