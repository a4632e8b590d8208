"""policy.yaml: what is refused and how it is said, and that the one shipped fits the reports."""

import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import report_factory
import yaml

from pipeline import files
from pipeline.errors import InputError
from pipeline.policy import evidence, rules
from pipeline.policy.references import REFERENCES

SHIPPED = Path(__file__).parents[2] / "policy.yaml"
RULE = {"id": "a-rule", "why": "Because.", "metric": "evaluate.test_rows", "min": 1}


def load(path: Path, *listed: Any, **top: Any) -> rules.Policy:
    path.write_text(yaml.safe_dump({"confidence": 0.95, "rules": list(listed), **top}))
    return rules.load(path)


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in RULE.items() if key not in keys}


def test_the_shipped_policy_asks_for_what_the_reports_have() -> None:
    policy = rules.load(SHIPPED)
    reports = report_factory.make_json() | {"policy": {"digest": policy.digest}}
    for rule in policy.rules:
        for path in (rule.metric, rule.same_as):
            if path and not path.startswith("champion"):
                assert evidence.find(reports, path)


def test_the_digest_is_of_the_files_bytes() -> None:
    assert rules.load(SHIPPED).digest == files.sha256_file(SHIPPED)


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({**RULE, "mn": 3}, "rules.a-rule.mn: unknown key; did you mean 'min"),
        (without("why"), "rules.a-rule.why: missing"),
        ({**RULE, "why": ""}, "rules.a-rule.why"),
        (without("id"), "rules.0.id: missing"),
        ({**RULE, "id": "A Rule"}, "id"),
        ({**RULE, "min": float("nan")}, "rules.a-rule.min"),
        ({**RULE, "min": float("inf")}, "rules.a-rule.min"),
        ({**RULE, "min": True}, "rules.a-rule.min"),
        ({**RULE, "min": "0.5"}, "rules.a-rule.min"),
        ({**RULE, "max": 0}, "min is above max"),
        (without("min"), "give either"),
        ({**RULE, "equals": True}, "give either"),
        ({**RULE, "same_as": "split.test.digest"}, "give either"),
        ({**RULE, "metric": "evalute.test_rows"}, "'evalute' is no stage; did you mean 'evaluate'"),
        ({**RULE, "metric": "evaluate..x"}, "is no path"),
        ({**without("min"), "same_as": "x"}, "'x' is no stage"),
        ({**RULE, "metric": "evaluate.x.point"}, r"rules.a-rule.metric: 'point' is part of an"),
        ({**RULE, "metric": "audit.x[a=b].gap.low"}, "name the estimate"),
        ({**without("min"), "same_as": "evaluate.x.high"}, "rules.a-rule.same_as: 'high'"),
        ({**RULE, "min_n": 0}, "rules.a-rule.min_n"),
        ({**RULE, "min_n": 2.5}, "rules.a-rule.min_n"),
        ({**RULE, "severity": "fatal"}, "rules.a-rule.severity"),
        ({**RULE, "on_missing": "pass"}, "rules.a-rule.on_missing"),
        ({**RULE, "applies": "never"}, "rules.a-rule.applies"),
        ({**RULE, "severity": "warn"}, "no rule blocks"),
        ({**RULE, "statistic": "mean"}, "rules.a-rule.statistic"),
        ({**RULE, "statistic": "upper"}, "statistic upper needs max"),
        ({**RULE, "statistic": "lower", "max": 2}, "statistic lower needs min"),
        ({**RULE, "statistic": "p_value", "family": "f"}, "statistic p_value needs max"),
        ({**without("min"), "equals": True, "statistic": "interval"}, "needs min or max"),
        ({**RULE, "statistic": "point"}, "may only warn"),
        ({**RULE, "statistic": "paired_difference"}, "a paired difference is champion"),
        ({**without("min"), "max": 1, "statistic": "p_value"}, "a p_value has a family"),
        ({**RULE, "family": "f"}, "a p_value has a family"),
        ({**RULE, "references": ["eu-ai-act"]}, "no reference; did you mean 'eu-ai-act-1"),
        ({**RULE, "waivable": "yes"}, "rules.a-rule.waivable"),
        ("beats-majority", "rules.0"),
        (None, "rules.0"),
    ],
)
def test_a_bad_rule_is_refused_by_its_id_and_key(tmp_path: Path, rule: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        load(tmp_path / "policy.yaml", rule)


def test_the_rules_on_gender_name_the_groups_that_they_are_about() -> None:
    """Or every run whose texts name both, or neither, too seldom would be refused."""
    on_gaps = [each for each in rules.load(SHIPPED).rules if "column=gender" in each.metric]
    assert len(on_gaps) == 6
    assert {each.groups for each in on_gaps} == {("female", "male")}


@pytest.mark.parametrize(
    ("top", "named"),
    [
        ({"rules": []}, "no rule blocks"),
        ({"rules": None}, "rules"),
        ({"rules": "x"}, "rules"),
        ({"rules": [RULE, RULE]}, "the id 'a-rule' stands twice"),
        ({"confidence": 95}, "confidence"),
        ({"confidence": None}, "confidence"),
        ({"rule": []}, "rule: unknown key; did you mean 'rules'"),
        ({"digest": "0" * 64}, "digest: unknown key"),
    ],
)
def test_a_bad_policy_is_refused_by_its_key(tmp_path: Path, top: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        load(tmp_path / "policy.yaml", RULE, **top)


def test_a_threshold_that_stands_twice_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("confidence: 0.95\nrules:\n- id: a\n  min: 1\n  min: 0\n")
    with pytest.raises(InputError, match=r"policy\.yaml:5:3: .*'min' stands twice"):
        rules.load(path)


def test_a_missing_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"policy\.yaml: not found"):
        rules.load(tmp_path / "policy.yaml")


def test_the_schema_for_editors_is_that_of_the_code() -> None:
    """Against the committed file, to which policy.yaml's first line leads an editor."""
    first = SHIPPED.read_text().partition("\n")[0]
    committed = SHIPPED.parent / first.partition("$schema=")[2]
    assert files.read_json(committed) == rules.schema()


@pytest.mark.parametrize(
    "change",
    [{"mn": 3}, {"severity": "fatal"}, {"references": ["none"]}, {"waivable": 1}, {"min": "x"}],
)
def test_an_editor_that_reads_the_schema_sees_what_is_refused_here(change: Any) -> None:
    """Against jsonschema, an independent reader of the schema."""
    raw = yaml.safe_load(SHIPPED.read_text())
    check = jsonschema.Draft202012Validator(rules.schema())
    assert check.is_valid(raw)
    raw["rules"][6] |= change
    assert not check.is_valid(raw)


def test_every_reference_has_a_title_a_date_and_says_when_it_does_not_apply() -> None:
    for each in REFERENCES.values():
        law = each.law
        assert datetime.date.fromisoformat(f"{law.date}-01"[:10]).year >= 2023
        assert law.title.startswith(("Regulation (EU)", "NIST AI", "ISO/IEC", "Interim Measures"))
        assert law.applies.startswith(("Only to", "Voluntary"))
        assert each.place
        assert each.subject
