"""Approval: no word, another bundle's or an edited one promotes nothing; the right one does."""

import json
import shutil
from pathlib import Path
from typing import Any

import bundle_factory
import pytest
import yaml
from approval_factory import APPROVER, AUTHOR, build, init_git
from signing_keys import Keys

from pipeline import approve, decisions, files, layout, promote, publish, reports, verify
from pipeline.__main__ import REFUSED_CODE, main
from pipeline.adapters import signing, tracking
from pipeline.adapters.registry import Registry
from pipeline.errors import InputError
from pipeline.params import BundleParams
from pipeline.policy import approvals, rules


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def params(
    tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch, keys: Keys
) -> BundleParams:
    """A workspace of Ann's whose policy asks for a person, and Abe may be that person."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.delenv(signing.PRIVATE_KEY, raising=False)
    monkeypatch.delenv(signing.PUBLIC_KEY, raising=False)
    init_git()
    build(tmp_path.name, keys)
    return BundleParams(name=tmp_path.name)


def say(params: BundleParams, word: approvals.Answer = "approve", **changes: str) -> str:
    given = {"number": "1", "approver": APPROVER, "reason": "I read the report."} | changes
    return approve.answer(params, decision=word, **given)


def champion_of(params: BundleParams) -> str | None:
    at = Registry(params.name).at("champion")
    return at.number if at else None


def actions() -> list[str]:
    return [json.loads(line)["action"] for line in decisions.read()]


def kept_word(params: BundleParams, number: str = "1") -> Path:
    run = Registry(params.name).get(number).run_id
    return tracking.download(f"runs:/{run}/approval.json")


def test_a_bundle_that_the_gate_passes_waits_and_the_word_promotes_it(params: BundleParams) -> None:
    made = publish.publish(params)
    assert (made.outcome, made.promoted) == ("awaiting approval", False)
    assert "python -m pipeline approve 1 --approver NAME --reason ..." in made.summary()
    assert champion_of(params) is None
    assert main(["promote", "1"]) == REFUSED_CODE
    assert main(["approve", "1", "--approver", APPROVER, "--reason", "I read the report."]) == 0
    assert champion_of(params) == "1"
    assert actions() == ["wait", "approve", "promote"]
    said = verify.verify(f"models:/{params.name}@champion").summary()
    assert f"{APPROVER} said approve (not signed): I read the report." in said


def test_publish_promotes_what_was_approved_meanwhile(params: BundleParams) -> None:
    publish.publish(params)
    say(params)
    assert publish.publish(params).outcome == "promoted"
    assert promote.promote(params, "1").outcome == "already champion"


def test_a_rejected_bundle_is_refused_until_somebody_approves_it(params: BundleParams) -> None:
    publish.publish(params)
    assert main(["reject", "1", "--approver", APPROVER, "--reason", "Too old."]) == 0
    made = publish.publish(params)
    assert made.outcome == "refused"
    assert f"rejected by {APPROVER}: Too old." in made.summary()
    assert promote.promote(params, "1").why == f"rejected by {APPROVER}: Too old."
    say(params)
    assert publish.publish(params).outcome == "promoted"
    with pytest.raises(InputError, match="is champion; run `python -m pipeline rollback`"):
        say(params, "reject")


def test_the_same_word_twice_is_in_the_log_once(params: BundleParams) -> None:
    publish.publish(params)
    for _ in range(2):
        say(params)
    assert actions() == ["wait", "approve"]
    for _ in range(2):
        promote.promote(params, "1")
    assert actions() == ["wait", "approve", "promote"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"approver": "Bea"}, "Bea is not among policy.yaml's approvers"),
        ({"approver": AUTHOR}, "another person than the author"),
        ({"approver": f" {AUTHOR.upper()} "}, "another person than the author"),
        ({"reason": " "}, "reason"),
        ({"approver": ""}, "approver"),
    ],
)
def test_a_word_that_would_not_hold_is_not_recorded(
    changes: dict[str, str], named: str, params: BundleParams
) -> None:
    publish.publish(params)
    with pytest.raises(InputError, match=named):
        say(params, **changes)
    assert actions() == ["wait"]
    assert champion_of(params) is None


def test_the_word_on_another_bundle_promotes_nothing(params: BundleParams, keys: Keys) -> None:
    """The record of version 1, copied to version 2 with its digest: whole, and not of it."""
    publish.publish(params)
    say(params)
    build(params.name, keys, seed=1)
    publish.publish(params)
    registry = Registry(params.name)
    first, second = registry.get("1"), registry.get("2")
    registry.log(second, "approval.json", files.read_json(kept_word(params)))
    registry.tag(second, approval_digest=first.tags["approval_digest"])
    made = publish.publish(params)
    assert made.outcome == "awaiting approval"
    assert "it is for the bundle" in made.summary()
    assert promote.promote(params, "2").outcome == "refused"
    assert champion_of(params) is None


def test_an_edited_word_promotes_nothing(params: BundleParams) -> None:
    publish.publish(params)
    say(params, "reject")
    registry, word = Registry(params.name), files.read_json(kept_word(params))
    registry.log(registry.get("1"), "approval.json", word | {"decision": "approve"})
    made = publish.publish(params)
    assert made.outcome == "awaiting approval"
    assert "its tag approval_digest is" in made.summary()
    assert promote.promote(params, "1").outcome == "refused"
    assert champion_of(params) is None


def test_the_word_under_another_policy_or_author_promotes_nothing(
    params: BundleParams, keys: Keys
) -> None:
    publish.publish(params)
    say(params)
    layout.POLICY.write_text(layout.POLICY.read_text() + "\n")
    assert "policy.yaml was changed" in promote.promote(params, "1").why
    word = trust_word(params)
    policy = rules.load()
    assert "under another policy" in approvals.refusal(word, policy, word.bundle, AUTHOR)
    assert champion_of(params) is None


def test_a_tag_that_says_who_may_approve_cannot_be_changed(params: BundleParams) -> None:
    """Ann, an approver too, has another name put in her place; also where her log is elsewhere."""
    publish.publish(params)
    registry = Registry(params.name)
    registry.tag(registry.get("1"), author="Somebody Else")
    by_hand = "its tag author is 'Somebody Else', and by entry 1"
    with pytest.raises(InputError, match=by_hand):
        say(params, approver=AUTHOR)
    registry.tag(registry.get("1"), author=AUTHOR)
    say(params)
    registry.tag(registry.get("1"), author="Somebody Else")
    for act in (lambda: promote.promote(params, "1"), lambda: publish.publish(params)):
        with pytest.raises(InputError, match=by_hand):
            act()
    decisions.LOG.unlink()
    assert "by Ann Author, not Somebody Else" in promote.promote(params, "1").why
    assert champion_of(params) is None


def trust_word(params: BundleParams) -> approvals.Approval:
    return approvals.Approval.model_validate(files.read_json(kept_word(params)))


def test_where_signatures_are_demanded_only_the_approvers_key_will_do(
    params: BundleParams, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(params.name, keys, require_signature=True)
    monkeypatch.setenv(signing.PUBLIC_KEY, str(keys.public))
    monkeypatch.setenv(signing.PRIVATE_KEY, str(keys.private))
    publish.publish(params)
    monkeypatch.delenv(signing.PRIVATE_KEY)
    with pytest.raises(InputError, match="not signed by Abe Approver's key"):
        say(params)
    monkeypatch.setenv(signing.PRIVATE_KEY, str(Keys(Path.cwd(), "other").private))
    with pytest.raises(InputError, match="not signed by Abe Approver's key"):
        say(params)
    monkeypatch.setenv(signing.PRIVATE_KEY, str(keys.private))
    say(params)
    forged = trust_word(params).model_copy(update={"reason": "Another."})
    assert "not signed" in approvals.refusal(forged, rules.load(), forged.bundle, AUTHOR)
    assert promote.promote(params, "1").outcome == "promoted"


def test_a_version_of_no_known_author_is_approved_by_nobody(params: BundleParams) -> None:
    shutil.rmtree(".git")
    publish.publish(params)
    with pytest.raises(InputError, match="has no author"):
        say(params)


def test_a_policy_that_asks_for_nobody_has_nothing_to_approve(
    params: BundleParams, keys: Keys
) -> None:
    build(params.name, keys, approval="none")
    assert publish.publish(params).outcome == "promoted"
    with pytest.raises(InputError, match="there is nothing to approve"):
        say(params)
    layout.POLICY.write_text(layout.POLICY.read_text().replace("approval: none", "approval: maybe"))
    with pytest.raises(InputError, match="approval"):
        rules.load()


def test_required_approval_needs_approvers(params: BundleParams, keys: Keys) -> None:
    with pytest.raises(InputError, match="names nobody who could give it"):
        build_policy_only(approvers={})


def build_policy_only(**policy: Any) -> None:
    raw = yaml.safe_load(layout.POLICY.read_text()) | policy
    layout.POLICY.write_text(yaml.safe_dump(raw))
    rules.load()


# Promotion by number, of what the gate has passed.


def test_a_version_is_not_promoted_over_a_champion_it_was_not_compared_with(
    params: BundleParams, keys: Keys
) -> None:
    publish.publish(params)
    build(params.name, keys, seed=1)
    publish.publish(params)
    say(params)
    assert promote.promote(params, "1").outcome == "promoted"
    say(params, number="2")
    refused = promote.promote(params, "2")
    assert "the champion is not the one that the gate compared it with" in refused.why
    assert champion_of(params) == "1"


def test_a_version_that_the_gate_refused_is_promoted_by_no_word(
    params: BundleParams, keys: Keys
) -> None:
    made = reports.read(reports.FinetuneReport)
    spoilt = made.model_copy(update={"encoder_digest_after": "0" * 64})
    reports.write("finetune", spoilt)
    bundle_factory.write_bundle(params.name, 0)
    assert publish.publish(params).outcome == "refused"
    say(params)
    assert "encoder-frozen" in promote.promote(params, "1").why
    assert publish.publish(params).outcome == "refused"
    assert champion_of(params) is None


def test_rollback_of_a_named_version_takes_it_back_once(params: BundleParams, keys: Keys) -> None:
    for seed in range(2):
        build(params.name, keys, seed=seed, approval="none")
        publish.publish(params)
    assert main(["rollback", "2"]) == 0
    assert main(["rollback", "2"]) == 0
    assert champion_of(params) == "1"
    assert actions() == ["promote", "promote", "rollback"]
    assert main(["rollback", "3"]) == 2
    assert promote.promote(params, "2").outcome == "refused"
