"""The gate fails closed: only sound evidence within its limits promotes."""

import copy
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_factory
from hypothesis import given, settings
from hypothesis import strategies as st
from signing_keys import make_waiver

from pipeline import reports
from pipeline.errors import InputError
from pipeline.measure import fairness
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.outcomes import Outcomes
from pipeline.policy import evidence, gate, rules
from pipeline.policy.gate import ChampionComparison, Decision, decide
from pipeline.policy.rules import Policy, Rule
from pipeline.policy.waivers import Waiver
from pipeline.reports import Estimate

SHIPPED = rules.load(Path(__file__).parents[2] / "policy.yaml")
REPORTS = report_factory.make_json(SHIPPED.digest)
CHAMPION = ChampionComparison(version="3", difference=report_factory.estimate(0.001), p_value=0.8)


def policy_of(*listed: Rule) -> Policy:
    return Policy(digest=SHIPPED.digest, confidence=0.95, rules=listed)


def rule(**fields: Any) -> Rule:
    return Rule(**{"id": "a", "why": "Because.", "metric": "evaluate.x", **fields})


def judge(value: Any, **fields: Any) -> gate.RuleVerdict:
    """The verdict on one rule, beside one that blocks."""
    policy = policy_of(rule(**fields), rule(id="b", min=0))
    return decide({"evaluate": {"x": value}}, policy, None).verdicts[0]


def interval(low: float, high: float, n: int = 100) -> dict[str, Any]:
    return {"point": (low + high) / 2, "low": low, "high": high, "n": n, "confidence": 0.95}


# The truth table: by hand.

TABLE: list[tuple[Any, dict[str, Any], str]] = [
    (interval(0.10, 0.20), {"min": 0.1}, "pass"),
    (interval(0.09, 0.20), {"min": 0.1}, "inconclusive"),
    (interval(-0.20, 0.10), {"min": 0.1}, "inconclusive"),
    (interval(-0.20, 0.09), {"min": 0.1}, "fail"),
    (interval(0.00, 0.10), {"max": 0.1}, "pass"),
    (interval(0.05, 0.11), {"max": 0.1}, "inconclusive"),
    (interval(0.10, 0.11), {"max": 0.1}, "inconclusive"),
    (interval(0.11, 0.20), {"max": 0.1}, "fail"),
    (interval(45, 55), {"min": 40, "max": 60}, "pass"),
    (interval(35, 65), {"min": 40, "max": 60}, "inconclusive"),
    (interval(61, 65), {"min": 40, "max": 60}, "fail"),
    (interval(0.1, 0.2, n=100), {"min": 0, "min_n": 100}, "pass"),
    (interval(0.1, 0.2, n=99), {"min": 0, "min_n": 100}, "not_evaluated"),
    (interval(0.1, 0.2, n=0), {"min": 0}, "not_evaluated"),
    (500, {"min": 500}, "pass"),
    (499, {"min": 500}, "fail"),
    (0.5, {"max": 0.4}, "fail"),
    (500, {"min": 500, "min_n": 1}, "not_evaluated"),
    (None, {"min": 0}, "not_evaluated"),
    (math.nan, {"min": 0}, "not_evaluated"),
    (math.inf, {"min": 0}, "not_evaluated"),
    ("NaN", {"min": 0}, "not_evaluated"),
    (True, {"min": 0}, "not_evaluated"),
    ([], {"min": 0}, "not_evaluated"),
    (True, {"equals": True}, "pass"),
    (False, {"equals": True}, "fail"),
    (1, {"equals": True}, "not_evaluated"),
    ("true", {"equals": True}, "not_evaluated"),
    (None, {"equals": True}, "not_evaluated"),
    ("a", {"equals": "a"}, "pass"),
    ("a", {"same_as": "evaluate.x"}, "pass"),
    ("a", {"same_as": "policy.digest"}, "fail"),
    ("", {"same_as": "evaluate.x"}, "not_evaluated"),
    (None, {"same_as": "evaluate.x"}, "not_evaluated"),
    ("a", {"same_as": "evaluate.y"}, "not_evaluated"),
    (interval(0.00, 0.10), {"max": 0.1, "statistic": "upper"}, "pass"),
    (interval(0.05, 0.11), {"max": 0.1, "statistic": "upper"}, "inconclusive"),
    (interval(0.11, 0.20), {"max": 0.1, "statistic": "upper"}, "fail"),
    (interval(0.10, 0.20), {"min": 0.1, "statistic": "lower"}, "pass"),
    (interval(0.05, 0.11), {"max": 0.1, "statistic": "point", "severity": "warn"}, "pass"),
    (interval(0.05, 0.17), {"max": 0.1, "statistic": "point", "severity": "warn"}, "fail"),
    (0.05, {"max": 0.1, "statistic": "upper"}, "not_evaluated"),
    (interval(0.0, 0.05), {"max": 200, "metric": "evaluate.x.n"}, "not_evaluated"),
    (0.05, {"max": 0.1, "statistic": "point", "severity": "warn"}, "not_evaluated"),
]


@pytest.mark.parametrize(("value", "fields", "verdict"), TABLE)
def test_a_verdict_is_what_the_truth_table_says(
    value: Any, fields: dict[str, Any], verdict: str
) -> None:
    assert judge(value, **fields).verdict == verdict


@pytest.mark.parametrize(
    ("verdict", "fields", "blocks"),
    [
        ("pass", {}, False),
        ("fail", {}, True),
        ("inconclusive", {}, True),
        ("not_evaluated", {}, True),
        ("fail", {"on_missing": "warn", "on_inconclusive": "warn"}, True),
        ("inconclusive", {"on_missing": "warn"}, True),
        ("inconclusive", {"on_inconclusive": "warn"}, False),
        ("not_evaluated", {"on_inconclusive": "warn"}, True),
        ("not_evaluated", {"on_missing": "warn"}, False),
    ],
)
def test_only_a_pass_or_a_doubt_that_the_rule_allows_lets_through(
    verdict: str, fields: dict[str, Any], blocks: bool
) -> None:
    values = {"pass": 3, "fail": 1, "inconclusive": interval(1, 3), "not_evaluated": None}
    judged = judge(values[verdict], min=2, **fields)
    assert (judged.verdict, judged.blocks) == (verdict, blocks)


def test_the_worst_of_several_entries_is_the_rules_verdict() -> None:
    rows = [{"k": "a", "v": v} for v in (True, False, True)]
    chosen = rule(metric="evaluate.rows[k=a].v", equals=True)
    assert decide({"evaluate": {"rows": rows}}, policy_of(chosen), None).verdicts[0].blocks
    del rows[1]
    assert decide({"evaluate": {"rows": rows}}, policy_of(chosen), None).promote


def test_a_warning_that_fails_is_told_and_does_not_block() -> None:
    worried = rule(id="b", metric="evaluate.y", min=9, severity="warn")
    decision = decide({"evaluate": {"x": 1, "y": 1}}, policy_of(rule(min=1), worried), None)
    assert decision.promote
    assert decision.warnings() == ("b: evaluate.y is 1, not >= 9",)


def test_a_point_does_not_pass_without_its_interval_and_support() -> None:
    """Nor where the rule was made past the reading of policy.yaml."""
    one_row = {"point": 1.0, "low": 0.2, "high": 1.0, "n": 1, "confidence": 0.95}
    for field in evidence.BOUNDS:
        chosen = rule(min=0).model_copy(update={"metric": f"evaluate.x.{field}"})
        verdict = decide({"evaluate": {"x": one_row}}, policy_of(chosen), None).verdicts[0]
        assert (verdict.verdict, verdict.blocks) == ("not_evaluated", True)
        assert "part of an estimate" in verdict.reason


def test_nothing_in_the_reports_has_the_fields_of_an_estimate_but_an_estimate() -> None:
    """So that a path is known to step into one by its names."""
    models = [each for each in vars(reports).values() if isinstance(each, type)]
    fields = [each.model_fields for each in models if issubclass(each, reports.Report)]
    named = [each for each in fields if {*evidence.BOUNDS} & {*each}]
    assert named == [reports.Estimate.model_fields]


# The shipped policy.


def test_a_good_run_is_promoted_with_and_without_a_champion() -> None:
    first = decide(REPORTS, SHIPPED, None)
    assert first.promote
    assert first.not_applicable == ("not-worse-than-champion",)
    assert decide(REPORTS, SHIPPED, CHAMPION).promote


def test_a_loss_against_the_champion_is_refused() -> None:
    for difference in (report_factory.estimate(-0.015), report_factory.estimate(-0.1)):
        worse = CHAMPION.model_copy(update={"difference": difference})
        assert not decide(REPORTS, SHIPPED, worse).promote


def test_a_champion_that_cannot_be_compared_is_refused_with_the_reason() -> None:
    why = "its labels are others"
    unknown = Estimate(point=None, low=None, high=None, n=0, note=why)
    decision = decide(REPORTS, SHIPPED, CHAMPION.model_copy(update={"difference": unknown}))
    assert not decision.promote
    assert why in decision.reasons()[0]


def test_a_policy_edited_after_the_evaluation_is_refused() -> None:
    edited = SHIPPED.model_copy(update={"digest": "0" * 64})
    decision = decide(REPORTS, edited, None)
    assert [v.rule for v in decision.verdicts if v.blocks] == ["policy-set-first"]


def test_a_doubtful_gender_gap_warns_and_a_shown_one_blocks() -> None:
    for low, blocks in ((0.02, False), (0.11, True)):
        changed = copy.deepcopy(REPORTS)
        for gap in changed["audit"]["gaps"]:
            if (gap["column"], gap["metric"]) == ("gender", "accuracy"):
                gap["gap"] |= {"low": low, "point": 0.12, "high": 0.2}
        assert decide(changed, SHIPPED, None).promote != blocks


# Groups that a gap leaves out.


def reports_of_women(rows: int) -> dict[str, Any]:
    """Of so many texts about women each is judged wrongly; of 600 men, 600 both, 2,400 none few."""
    sizes = {"female": rows, "male": 600, "both": 600, "none": 2400}
    groups = np.repeat(list(sizes), list(sizes.values()))
    labels = np.arange(len(groups)) % 2
    right = (groups != "female") & (np.arange(len(groups)) % 10 != 0)
    predicted = np.where(right, labels, 1 - labels)
    answers = Outcomes(labels, np.eye(2)[predicted], ["negative", "positive"])
    bootstrap = Bootstrap(confidence=0.95, resamples=300, seed=1)
    found = fairness.gaps(answers, "gender", groups, tuple(sizes), min_rows=50, bootstrap=bootstrap)
    changed = copy.deepcopy(REPORTS)
    changed["audit"]["gaps"] = [gap.model_dump(mode="json") for gap in found]
    return changed


def verdict_on_gender(evidence: dict[str, Any], **fields: Any) -> gate.RuleVerdict:
    (one,) = (each for each in SHIPPED.rules if each.id == "gender-accuracy")
    return decide(evidence, policy_of(one.model_copy(update=fields)), None).verdicts[0]


def test_a_group_of_one_row_too_few_is_no_pass_and_of_enough_is_judged() -> None:
    few = verdict_on_gender(reports_of_women(49))
    assert (few.verdict, few.blocks) == ("not_evaluated", True)
    assert few.reason.endswith("female could not be compared: 49 of the 50 rows needed")
    assert verdict_on_gender(reports_of_women(50)).verdict == "fail"
    assert verdict_on_gender(reports_of_women(0)).blocks


def test_a_rule_asks_for_the_groups_that_it_names_or_else_for_all() -> None:
    """Not for long tails: texts about both are too few in the reports of `report_factory`."""
    assert verdict_on_gender(REPORTS).verdict == "pass"
    assert verdict_on_gender(REPORTS, groups=()).reason.endswith(
        "both could not be compared: 39 rows, fewer than 50"
    )
    assert verdict_on_gender(REPORTS, groups=("female", "both")).blocks
    for nowhere in ("femal", "f", ""):
        missing = verdict_on_gender(REPORTS, groups=("male", nowhere))
        assert (missing.blocks, missing.group_left_out) == (True, False)
        assert f"there is no group {nowhere}" in missing.reason


def test_groups_are_asked_of_every_figure_of_a_gap_and_of_nothing_else() -> None:
    evidence = reports_of_women(49)
    of_gap = "audit.gaps[column=gender,metric=accuracy]"
    by_test = {"metric": f"{of_gap}.p_value", "min_n": None, "statistic": "p_value", "family": "f"}
    for fields in (
        by_test | {"max": 1},
        {"metric": f"{of_gap}.detectable.gap", "min_n": None, "statistic": None},
    ):
        assert "female could not be compared" in verdict_on_gender(evidence, **fields).reason
    elsewhere = verdict_on_gender(REPORTS, metric="evaluate.model.ece")
    assert (elsewhere.verdict, elsewhere.blocks) == ("not_evaluated", True)


def test_a_gap_shown_between_the_other_groups_fails_whoever_is_left_out() -> None:
    evidence = reports_of_women(49)
    evidence["audit"]["gaps"][0]["gap"] |= {"point": 0.3, "low": 0.2, "high": 0.4}
    assert verdict_on_gender(evidence).verdict == "fail"


def test_a_full_finetuning_is_not_asked_for_a_frozen_encoder_but_an_unknown_mode_is() -> None:
    changed = copy.deepcopy(REPORTS)
    changed["finetune"] |= {"mode": "full", "encoder_digest_after": "9" * 64}
    assert decide(changed, SHIPPED, None).promote
    for mode in ("frozen", "ful", None, math.nan, []):
        changed["finetune"]["mode"] = mode
        assert not decide(changed, SHIPPED, None).promote
    del changed["finetune"]["mode"]
    assert not decide(changed, SHIPPED, None).promote


def test_a_rule_on_planted_secrets_is_asked_only_where_some_were_planted() -> None:
    """None planted, the rule does not apply; where that cannot be read, it does and is missing."""
    (one,) = (r for r in SHIPPED.rules if r.applies == "with_canaries")
    off = copy.deepcopy(REPORTS)
    off["tokenise"]["canaries"], off["audit"]["privacy"]["canaries"] = [], None
    assert one.id in decide(off, SHIPPED, None).not_applicable
    for unreadable in (None, {}, "", 0):
        off["tokenise"]["canaries"] = unreadable
        (verdict,) = (v for v in decide(off, SHIPPED, None).verdicts if v.rule == one.id)
        assert verdict.verdict == "not_evaluated"


# Mutation: every field that a rule reads, found by watching it read.

Path_ = tuple[str | int, ...]


class Watched(Mapping[str, Any]):
    """A mapping that notes which of its fields are read."""

    def __init__(self, value: dict[str, Any], seen: set[Path_], at: Path_ = ()) -> None:
        self._value, self._seen, self._at = value, seen, at

    def __getitem__(self, key: str) -> Any:
        value = self._value[key]
        self._seen.add((*self._at, key))
        return watch(value, self._seen, (*self._at, key))

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def __len__(self) -> int:
        return len(self._value)


def watch(value: Any, seen: set[Path_], at: Path_) -> Any:
    if isinstance(value, dict):
        return Watched(value, seen, at)
    if isinstance(value, list):
        return [watch(item, seen, (*at, place)) for place, item in enumerate(value)]
    return value


def fields_read(one: Rule) -> list[Path_]:
    seen: set[Path_] = set()
    watched = {stage: watch(report, seen, (stage,)) for stage, report in REPORTS.items()}
    decide(watched, policy_of(one), None)
    spared: dict[str, set[Path_]] = {
        "frozen_encoder": {("finetune", "mode")},
        "with_canaries": {("tokenise",), ("tokenise", "canaries")},
        "with_onnx": {("export", "formats")},
        "with_int8": {("export", "formats")},
    }
    applicability = spared.get(one.applies, set())
    return sorted(({(path[0],) for path in seen} | seen) - applicability, key=str)


MUTATIONS: dict[str, Any] = {
    "nan": math.nan,
    "nan as text": "NaN",
    "null": None,
    "empty text": "",
    "empty list": [],
    "empty mapping": {},
    "text": "1",
    "infinity": math.inf,
}
BLOCKING = [r for r in SHIPPED.rules if r.severity == "block" and r.applies != "with_champion"]
WARNING = [r.model_copy(update={"severity": "block"}) for r in SHIPPED.rules if r not in BLOCKING]
OF_EACH_STATISTIC = [
    Rule(id="low", why="w", metric="evaluate.model.accuracy", statistic="lower", min=0.5),
    Rule(id="whole", why="w", metric="evaluate.model.brier", statistic="interval", max=0.5),
    Rule(
        id="test",
        why="w",
        metric="evaluate.versus.tfidf.p_value",
        statistic="p_value",
        family="tests",
        max=0.05,
    ),
]
READ_BY_REPORTS = [
    r for r in (*BLOCKING, *WARNING, *OF_EACH_STATISTIC) if r.applies != "with_champion"
]


def waived(one: Rule) -> dict[str, Waiver]:
    """A waiver of the rule where it can be waived: even that lets nothing through unmeasured."""
    return {one.id: make_waiver(rule=one.id)} if one.waivable else {}


def parent_of(root: dict[str, Any], path: Path_) -> Any:
    node: Any = root
    for step in path[:-1]:
        node = node[step]
    return node


def is_of_an_entry_not_chosen(one: Rule, path: Path_) -> bool:
    """Other text there makes it another entry that the rule does not ask about."""
    chosen = [step.where for step in evidence.parse_path(one.metric) if step.where]
    entry = parent_of(REPORTS, path)
    return any(path[-1] in dict(where) and not entry.items() >= {*where} for where in chosen)


def refuses(changed: dict[str, Any], one: Rule) -> bool:
    """By the gate, or before it, when the file is read: there a severity is one of three."""
    if not decide(changed, policy_of(one), None, waived(one)).promote:
        return True
    stage = one.metric.partition(".")[0]
    with pytest.raises(InputError):
        reports.parse(reports.STAGE_REPORTS[stage], changed[stage], "report.json", stage)
    return True


@pytest.mark.parametrize("one", READ_BY_REPORTS, ids=lambda one: one.id)
def test_no_field_that_a_rule_reads_can_be_spoilt_and_promote(one: Rule) -> None:
    """Also where a waiver of the rule holds."""
    read = fields_read(one)
    assert len(read) >= 2
    assert decide(REPORTS, policy_of(one), None).promote
    for path in read:
        for name, value in MUTATIONS.items():
            if isinstance(value, str) and value and is_of_an_entry_not_chosen(one, path):
                continue
            changed = copy.deepcopy(REPORTS)
            if parent_of(changed, path)[path[-1]] == value:
                continue  # nothing would be spoilt: no group is left out
            parent_of(changed, path)[path[-1]] = value
            assert refuses(changed, one), (name, path)
        changed = copy.deepcopy(REPORTS)
        lost = parent_of(changed, path).pop(path[-1])
        assert refuses(changed, one), ("deleted", path)
        parent_of(changed, path)[f"{path[-1]}_"] = lost
        assert refuses(changed, one), ("renamed", path)
        if path[-1] == "n":
            for support in (0, -1, True, (one.min_n or 1) - 1):
                parent_of(changed, path)["n"] = support
                assert refuses(changed, one), (support, path)


def test_every_blocking_rule_alone_can_refuse() -> None:
    """Each rule is broken by a value on the wrong side of its limit, all others being met."""
    wrong: dict[str, Any] = {
        "evaluate.test_rows": 499,
        "validate.expectations[severity=error].passed": False,
    }
    for one in BLOCKING:
        changed = copy.deepcopy(REPORTS)
        path = next(p for p in fields_read(one) if str(p[-1]) in one.metric.rsplit(".", 1)[-1])
        parent = parent_of(changed, path)
        value = parent[path[-1]]
        if isinstance(value, dict):
            parent[path[-1]] = value | {"point": 0.5, "low": 0.4, "high": 0.6}
            if one.min is not None:
                parent[path[-1]] |= {"point": -0.5, "low": -0.6, "high": -0.4}
        else:
            parent[path[-1]] = wrong.get(one.metric, "0" * 64)
        refused = decide(changed, SHIPPED, None)
        assert not refused.promote
        assert one.id in [v.rule for v in refused.verdicts if v.blocks]


def test_the_champions_comparison_can_not_be_spoilt_either() -> None:
    only = policy_of(*(r for r in SHIPPED.rules if r.applies == "with_champion"))
    assert decide({}, only, CHAMPION).promote
    assert not decide({}, only, None).promote  # nothing judged is nothing passed
    difference = CHAMPION.difference
    for spoilt in ({"point": None}, {"low": None}, {"high": None}, {"n": 0}, {"confidence": 0.5}):
        worse = CHAMPION.model_copy(update={"difference": difference.model_copy(update=spoilt)})
        assert not decide({}, only, worse).promote, spoilt
        assert not decide({}, only, worse, waived(only.rules[0])).promote, spoilt


def test_every_rule_that_can_be_waived_is_on_figures_of_the_model() -> None:
    """What the figures rest on, and that the model has learnt anything, nobody can waive."""
    can = {one.id for one in SHIPPED.rules if one.waivable}
    assert {one.id for one in SHIPPED.rules if one.min_n} >= can
    assert not can & {"policy-set-first", "same-test-rows", "same-encoder", "data-valid"}
    assert not can & {"beats-majority", "enough-test-rows"}


# Properties.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
PLACES = st.deferred(
    lambda: st.sampled_from(
        sorted({p for one in READ_BY_REPORTS for p in fields_read(one)}, key=str)
    )
)


def let_through(decision: Decision) -> bool:
    """What the policy's words say, written a second time."""
    lenient = {one.id: (one.on_missing, one.on_inconclusive) for one in SHIPPED.rules}
    for verdict in decision.verdicts:
        missing, inconclusive = lenient[verdict.rule]
        allowed = {"pass": True, "fail": False}
        allowed |= {"not_evaluated": missing == "warn", "inconclusive": inconclusive == "warn"}
        if verdict.severity == "block" and not allowed[verdict.verdict]:
            return False
    return True


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(PLACES, JSON), max_size=4))
def test_the_gate_never_promotes_when_a_blocking_rule_does_not_pass(
    changes: list[tuple[Path_, Any]],
) -> None:
    changed = copy.deepcopy(REPORTS)
    for path, value in changes:
        try:
            parent_of(changed, path)[path[-1]] = value
        except (KeyError, TypeError, IndexError):
            continue  # an earlier change has cut the path off
    decision = decide(changed, SHIPPED, None)
    assert decision.promote == let_through(decision)
    assert decision.promote == (decision.reasons() == ())


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_is_judged_without_an_error(value: Any) -> None:
    for fields in ({"min": 0.0}, {"equals": True}, {"same_as": "evaluate.x"}):
        verdict = judge(value, **fields)
        assert verdict.blocks == (verdict.verdict != "pass")


def test_the_summary_names_each_rule_and_the_outcome() -> None:
    decision = decide(REPORTS, SHIPPED, None)
    text = decision.summary()
    assert all(one.id in text for one in SHIPPED.rules)
    assert text.endswith("the gate passes it")
    refused = decide({}, SHIPPED, None)
    assert refused.summary().count("refused:") == len(refused.reasons())


def test_a_decision_survives_json() -> None:
    decision = decide(REPORTS, SHIPPED, CHAMPION)
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


@pytest.mark.parametrize("name", ["onnx", "int8"])
def test_a_format_is_judged_where_the_bundle_holds_it_or_that_cannot_be_read(name: str) -> None:
    """Only a list that can be read and does not have the format spares its rules."""
    only = policy_of(*(r for r in SHIPPED.rules if r.applies == f"with_{name}"))
    ids = tuple(rule.id for rule in only.rules)
    assert ids
    assert decide(REPORTS, only, None).promote
    others = [each for each in REPORTS["export"]["formats"] if each["format"] != name]
    for formats, applies in (
        (others, False),
        ([], False),
        (None, True),
        ("", True),
        ([{"format": "NaN"}], True),
        ([None], True),
    ):
        decision = decide(REPORTS | {"export": {"formats": formats}}, only, None)
        assert (decision.not_applicable == ids) is not applies
        assert not decision.promote
    assert not decide({k: v for k, v in REPORTS.items() if k != "export"}, only, None).promote


def test_int8_that_loses_accuracy_or_widens_a_gap_is_refused() -> None:
    for field, figure in (
        ("versus", {"difference": report_factory.estimate(-0.05).model_dump()}),
        ("gaps", [_wide(each) for each in REPORTS["export"]["formats"][1]["gaps"]]),
    ):
        onnx, int8 = REPORTS["export"]["formats"]
        changed = {"formats": [onnx, int8 | {field: figure}]}
        assert not decide(REPORTS | {"export": changed}, SHIPPED, None).promote


def _wide(gap: dict[str, Any]) -> dict[str, Any]:
    return gap | {"gap": gap["gap"] | {"point": 0.2, "low": 0.15, "high": 0.25}}
