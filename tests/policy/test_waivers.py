"""Waivers: what a changed field or another key makes of them, and that they spare little."""

import copy
import datetime
from pathlib import Path
from typing import Any

import pytest
import report_factory
import yaml
from signing_keys import Keys, make_waiver

from pipeline.errors import InputError
from pipeline.policy import rules, waivers
from pipeline.policy.gate import decide
from pipeline.policy.rules import Policy
from pipeline.policy.waivers import Waiver

SHIPPED = rules.load(Path(__file__).parents[2] / "policy.yaml")
BUNDLE = "a" * 64
ED25519 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="  # of RFC 8410
AUTHOR = "ann  author"  # as git has it, in its own case and spacing
TODAY = datetime.date(2026, 12, 31)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def policy(keys: Keys) -> Policy:
    return SHIPPED.model_copy(update={"approvers": {"Abe Approver": keys.line}})


def worse_than_word_counts() -> dict[str, Any]:
    changed = copy.deepcopy(report_factory.make_json(SHIPPED.digest))
    changed["evaluate"]["versus"]["tfidf"]["difference"] |= {
        "point": -0.05,
        "low": -0.06,
        "high": -0.04,
    }
    return changed


def promotes(waiver: Waiver, policy: Policy, evidence: Any, bundle: str = BUNDLE) -> bool:
    accepted, _ = waivers.accept([waiver], policy, bundle, AUTHOR, TODAY)
    return decide(evidence, policy, None, accepted).promote


def test_a_signed_waiver_spares_its_rule_until_the_day_it_expires(
    keys: Keys, policy: Policy
) -> None:
    signed = keys.sign(make_waiver())
    evidence = worse_than_word_counts()
    assert not decide(evidence, policy, None).promote
    accepted, refused = waivers.accept([signed], policy, BUNDLE, AUTHOR, TODAY)
    assert refused == ()
    decision = decide(evidence, policy, None, accepted)
    assert decision.promote
    (spared,) = [v for v in decision.verdicts if v.waiver]
    assert (spared.rule, spared.verdict, spared.effect) == ("near-tfidf", "fail", "waived")
    assert decision.waivers() == (signed,)
    assert "waived: near-tfidf by Abe Approver until 2026-12-31" in decision.summary()
    late = waivers.accept([signed], policy, BUNDLE, AUTHOR, TODAY + datetime.timedelta(days=1))
    assert late == ({}, ("the waiver of near-tfidf is not valid: it expired on 2026-12-31",))


@pytest.mark.parametrize("field", sorted(set(Waiver.model_fields)))
def test_no_field_of_a_signed_waiver_can_be_changed(field: str, keys: Keys, policy: Policy) -> None:
    """Mutation: each field replaced by another good value after signing; it never promotes."""
    other: dict[str, Any] = {
        "rule": "calibrated",
        "bundle": "b" * 64,
        "author": "Nobody",
        "approver": "Bea Approver",
        "reason": "Another.",
        "compensating_measure": "None.",
        "expires": datetime.date(2030, 1, 1),
        "signature": "",
    }
    evidence = worse_than_word_counts()
    signed = keys.sign(make_waiver())
    assert promotes(signed, policy, evidence)
    changed = signed.model_copy(update={field: other[field]})
    assert not promotes(changed, policy, evidence)
    both = policy.model_copy(update={"approvers": dict.fromkeys(("Bea Approver", "A"), keys.line)})
    assert not promotes(changed, both, evidence)


def test_the_author_of_a_bundle_cannot_waive_for_it_by_naming_another(
    keys: Keys, policy: Policy
) -> None:
    signed = keys.sign(make_waiver(author="Nobody At All"))
    for author in ("Abe Approver", "Ann Author", ""):
        accepted, (why,) = waivers.accept([signed], policy, BUNDLE, author, TODAY)
        assert not accepted
        assert f"by Nobody At All, not {author or 'nobody known'}" in why


def test_another_key_and_what_is_no_key_sign_nothing(
    keys: Keys, policy: Policy, tmp_path: Path
) -> None:
    evidence = worse_than_word_counts()
    assert not promotes(Keys(tmp_path, "other").sign(make_waiver()), policy, evidence)
    for spoilt in (
        "",
        "x",
        keys.line[:-4],
        ED25519,
    ):
        wrong = policy.model_copy(update={"approvers": {"Abe Approver": spoilt}})
        assert not promotes(keys.sign(make_waiver()), wrong, evidence)
    for signature in ("", "!", "AAAA"):
        assert not promotes(make_waiver(signature=signature), policy, evidence)


def test_a_rule_that_is_not_waivable_is_not_waived(keys: Keys, policy: Policy) -> None:
    evidence = copy.deepcopy(report_factory.make_json(SHIPPED.digest))
    evidence["evaluate"]["test_rows"] = 10
    signed = keys.sign(make_waiver(rule="enough-test-rows"))
    assert not promotes(signed, policy, evidence)
    _, refused = waivers.accept([signed], policy, BUNDLE, AUTHOR, TODAY)
    assert "does not call enough-test-rows waivable" in refused[0]


@pytest.mark.parametrize(
    "spoilt", [{"point": None}, {"n": 0}, {"low": None}, {"high": float("nan")}, {"confidence": 0}]
)
def test_evidence_that_is_missing_cannot_be_waived(
    spoilt: dict[str, Any], keys: Keys, policy: Policy
) -> None:
    evidence = worse_than_word_counts()
    evidence["evaluate"]["versus"]["tfidf"]["difference"] |= spoilt
    assert not promotes(keys.sign(make_waiver()), policy, evidence)
    del evidence["evaluate"]["versus"]["tfidf"]
    assert not promotes(keys.sign(make_waiver()), policy, evidence)


def with_few_women(**gap: Any) -> dict[str, Any]:
    """Reports in which the gap of accuracy says nothing of women; ``gap`` is laid over it."""
    changed = copy.deepcopy(report_factory.make_json(SHIPPED.digest))
    for each in changed["audit"]["gaps"]:
        if (each["column"], each["metric"]) == ("gender", "accuracy"):
            each["groups_compared"].remove("female")
            each["groups_left_out"]["female"] = "49 of the 50 rows needed"
            each.update(gap)
    return changed


def test_a_group_of_too_few_rows_passes_by_a_waiver_alone(keys: Keys, policy: Policy) -> None:
    """Also where too few groups are left to compare any; not where a figure is unsound."""
    signed = keys.sign(make_waiver(rule="gender-accuracy"))
    undefined = {"point": None, "low": None, "high": None, "n": 600, "confidence": 0.95}
    alone = {"gap": undefined, "groups_compared": ["male"]}
    for evidence in (with_few_women(), with_few_women(**alone)):
        assert not decide(evidence, policy, None).promote
        assert promotes(signed, policy, evidence)
    unsound = {"point": 0.0, "low": 0.0, "high": float("nan"), "n": 600, "confidence": 0.95}
    for gap in (
        {"gap": undefined},
        {"gap": unsound},
        {"groups_left_out": None},
        {"groups_left_out": {}},
    ):
        assert not promotes(signed, policy, with_few_women(**gap)), gap


def test_a_group_of_too_few_rows_does_not_hide_what_is_missing_beside_it(
    keys: Keys, policy: Policy
) -> None:
    """A rule on the gaps of every metric: the first says nothing of women, a later one is NaN."""
    (one,) = (rule for rule in SHIPPED.rules if rule.id == "gender-accuracy")
    broad = one.model_copy(update={"metric": "audit.gaps[column=gender].gap"})
    others = (rule for rule in policy.rules if rule != one)
    asked = policy.model_copy(update={"rules": (broad, *others)})
    signed = keys.sign(make_waiver(rule="gender-accuracy"))
    evidence = with_few_women()
    assert promotes(signed, asked, evidence)
    of_gender = [gap for gap in evidence["audit"]["gaps"] if gap["column"] == "gender"]
    (rate,) = (gap for gap in of_gender if gap["metric"] == "selection_rate")
    rate["gap"]["high"] = float("nan")  # which no other rule reads
    assert of_gender.index(rate) > 0
    assert not promotes(signed, asked, evidence)


def test_a_waiver_of_one_rule_spares_no_other(keys: Keys, policy: Policy) -> None:
    evidence = worse_than_word_counts()
    evidence["evaluate"]["model"]["ece"] |= {"point": 0.3, "low": 0.2, "high": 0.4}
    assert not promotes(keys.sign(make_waiver()), policy, evidence)


FILE = {
    "rule": "near-tfidf",
    "bundle": BUNDLE,
    "author": "Ann",
    "approver": "Abe",
    "reason": "r",
    "compensating_measure": "m",
    "expires": datetime.date(2026, 12, 31),
    "signature": "AAAA",
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"approver": " ANN "}, "another person"),
        ({"author": "Abe  approver", "approver": "Abe Approver"}, "another person"),
        ({"reason": " "}, "reason"),
        ({"compensating_measure": ""}, "compensating_measure"),
        ({"bundle": "abc"}, "bundle"),
        ({"expires": "soon"}, "expires"),
        ({"expires": None}, "expires"),
        ({"note": "x"}, "note"),
    ],
)
def test_a_bad_file_is_refused_by_its_name_and_key(
    change: dict[str, Any], named: str, tmp_path: Path
) -> None:
    (tmp_path / "w.yaml").write_text(yaml.safe_dump(FILE))
    assert waivers.load(tmp_path)[0].approver == "Abe"
    (tmp_path / "w.yaml").write_text(yaml.safe_dump(FILE | change))
    with pytest.raises(InputError, match=rf"w\.yaml: .*{named}"):
        waivers.load(tmp_path)


@pytest.mark.parametrize("key", sorted(set(FILE) - {"signature"}))
def test_a_file_with_a_key_less_is_refused(key: str, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(yaml.safe_dump({k: v for k, v in FILE.items() if k != key}))
    with pytest.raises(InputError, match=rf"w\.yaml: {key}"):
        waivers.load(tmp_path)


def test_no_folder_is_no_waiver(tmp_path: Path) -> None:
    assert waivers.load(tmp_path / "none") == ()
