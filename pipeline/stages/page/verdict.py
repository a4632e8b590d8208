"""The verdict: the gate's decision in words, and its rules one by one."""

from dataclasses import dataclass
from typing import Any

from pipeline.policy.evidence import parse_path
from pipeline.policy.gate import WORST_FIRST, Decision, RuleVerdict
from pipeline.policy.references import REFERENCES, Law, Reference
from pipeline.reports import Estimate
from pipeline.stages.page import figures, shapes
from pipeline.stages.page.language import reported, say, space


@dataclass(frozen=True)
class Rule:
    """A rule as its row shows it."""

    name: str
    effect: str  # what happens where it does not pass
    observed: str
    needed: str
    n: str
    verdict: str
    why: str
    asked_by: str  # the passages of laws and standards that it refers to
    waivable: bool


def sentence(decision: Decision) -> str:
    """Say in everyday words whether the model may be used, and why."""
    stopping = [each for each in decision.verdicts if each.blocks]
    doubtful = len(decision.warnings())
    if decision.promote:
        return say(
            "This model may be put to use: none of the %(rules)s of its policy stops it%(care)s.",
            rules=figures.plural(len(decision.verdicts), "rule"),
            care=_care(doubtful),
        )
    failed = sum(each.verdict == "fail" for each in stopping)
    return say(
        "This model may not be put to use: it %(reason)s.",
        reason=_stops(failed, len(stopping) - failed),
    )


def _care(rules: int) -> str:
    if not rules:
        return ""
    if rules == 1:
        return say(", though 1 calls for care")
    return say(", though %(rules)s call for care", rules=rules)


def _stops(failed: int, unproven: int) -> str:
    parts = []
    if failed:
        parts.append(say("breaks %(rules)s", rules=figures.plural(failed, "rule")))
    if unproven:
        rules = figures.plural(unproven, "rule")
        parts.append(say("could not be shown to keep %(rules)s", rules=rules))
    return figures.listing(parts) or say("is held to no rule")


def rules(decision: Decision) -> tuple[Rule, ...]:
    """Return the rules: those that stop the model, then the worst, then those on figures."""
    ordered = sorted(
        decision.verdicts,
        key=lambda each: (not each.blocks, WORST_FIRST.index(each.verdict), each.n is None),
    )
    return tuple(_rule(each) for each in ordered)


def _rule(each: RuleVerdict) -> Rule:
    return Rule(
        each.rule,
        _effect(each),
        _observed(each),
        _in_words(each.required.removeprefix("= ")),
        "" if each.n is None else figures.count(each.n),
        each.verdict,
        reported(each.why) if each.verdict == "pass" else _why(each),
        say("; ").join(_place(REFERENCES[name]) for name in each.references),
        each.waivable,
    )


def _why(each: RuleVerdict) -> str:
    return f"{reported(each.why)}{space()}{_reason(each)}"


def _place(reference: Reference) -> str:
    return say("%(law)s, %(place)s", law=say(reference.law.short), place=say(reference.place))


def _effect(each: RuleVerdict) -> str:
    if each.blocks:
        return say("stops the model")
    return "" if each.verdict == "pass" else say("a warning")


def _observed(each: RuleVerdict) -> str:
    if each.point is None or each.n is None:
        return reported(each.observed)
    estimate = Estimate(point=each.point, low=each.low, high=each.high, n=each.n)
    return figures.value(estimate, _digits(each.point))


def _digits(point: float) -> int:
    """Return how many decimals to show: a share needs three, a percentage one."""
    return 3 if abs(point) < 2 else 1


def _reason(each: RuleVerdict) -> str:
    """Return the gate's reason without the path it begins with."""
    reason = reported(_plain_marks(each.reason.removeprefix(f"{each.metric}: ")))
    return figures.sentence(reason)


def _in_words(text: str) -> str:
    return reported(_plain_marks(text))


def _plain_marks(text: str) -> str:
    return text.replace(">= ", "at least ").replace("<= ", "at most ")


def unevaluated(decision: Decision) -> shapes.Table | None:
    """The rules that could not be evaluated, and why; None where all were."""
    rows = [
        (each.rule, _reason(each)) for each in decision.verdicts if each.verdict == "not_evaluated"
    ]
    return (
        shapes.Table(say("Rules not evaluated"), (say("Rule"), say("Why")), tuple(rows))
        if rows
        else None
    )


def references(decision: Decision) -> shapes.Table | None:
    """The laws and standards that the rules refer to; None where they refer to none."""
    rows = [
        (say("%(title)s, of %(date)s", title=title, date=date), passages, applies)
        for title, date, passages, applies in laws(decision)
    ]
    columns = (say("Law or standard"), say("Passages"), say("To whom it applies, and when not"))
    return shapes.Table(say("Laws and standards"), columns, tuple(rows)) if rows else None


def laws(decision: Decision) -> list[tuple[str, str, str, str]]:
    """Return title, date, passages and reach of each law or standard that the rules refer to."""
    wanted = {name for each in decision.verdicts for name in each.references}
    passages: dict[Law, list[str]] = {}
    for name, reference in REFERENCES.items():
        if name in wanted:
            passages.setdefault(reference.law, []).append(_passage(reference))
    return [
        (say(law.title), law.date, say("; ").join(told), say(law.applies))
        for law, told in passages.items()
    ]


def _passage(reference: Reference) -> str:
    return say("%(place)s, %(subject)s", place=say(reference.place), subject=say(reference.subject))


def upper_limit(decision: Decision, path: str, entry: Any) -> float | None:
    """Return the maximum that a rule sets at a path of the reports, for an entry of its list.

    ``path`` is names joined by dots; the rule applies where its ``[key=value]`` hold of ``entry``.
    """
    for each in decision.verdicts:
        steps = parse_path(each.metric)
        where = [pair for step in steps for pair in step.where]
        if ".".join(step.name for step in steps) == path and all(
            getattr(entry, key, None) == value for key, value in where
        ):
            return each.max
    return None
