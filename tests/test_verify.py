"""Verification: one changed byte anywhere, one tag, one entry of the log, one day too many."""

import contextlib
import datetime
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import bundle_factory
import pytest
import report_factory
import yaml
from approval_factory import AUTHOR, init_git
from signing_keys import Keys, make_waiver

from pipeline import champion, decisions, files, layout, promote, publish, reports, trust, verify
from pipeline.__main__ import REFUSED_CODE, main
from pipeline.adapters import signing, tracking
from pipeline.adapters.registry import Registry
from pipeline.errors import InputError
from pipeline.params import BundleParams
from pipeline.policy import waivers


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.delenv(signing.PRIVATE_KEY, raising=False)
    monkeypatch.delenv(signing.PUBLIC_KEY, raising=False)


@pytest.fixture
def params(tmp_path: Path) -> BundleParams:
    bundle_factory.build(tmp_path.name)
    return BundleParams(name=tmp_path.name)


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    made = Keys(tmp_path)
    monkeypatch.setenv(signing.PRIVATE_KEY, str(made.private))
    monkeypatch.setenv(signing.PUBLIC_KEY, str(made.public))
    return made


def target(params: BundleParams) -> str:
    return f"models:/{params.name}@champion"


def stored(params: BundleParams, number: str = "1") -> Path:
    return tracking.download(f"models:/{params.name}/{number}")


def flip(path: Path, place: int) -> bytes:
    """Change one bit of a file; return what it was."""
    before = path.read_bytes()
    data = bytearray(before)
    data[place] ^= 1
    path.write_bytes(bytes(data))
    return before


def test_what_was_promoted_and_signed_verifies(params: BundleParams, keys: Keys) -> None:
    publish.publish(params)
    said = verify.verify(target(params)).summary()
    assert said.endswith("verified")
    assert "signed by the key" in said
    assert "1 entries, whole" in said


def test_one_bit_changed_anywhere_in_the_registry_is_refused_by_name(
    params: BundleParams, keys: Keys
) -> None:
    """Every file of the bundle, MLflow's own, and three of the code that serves it."""
    publish.publish(params)
    folder = stored(params)
    registry = Registry(params.name)
    version = registry.get("1")
    names = set(files.sha256_tree(folder)) - {"registered_model_meta"}
    code = sorted(name for name in names if name.startswith("code/") and name.endswith(".py"))
    names = {name for name in names if not name.startswith("code/")} | {*code[:1], *code[-2:]}
    assert {"MLmodel", "data/bundle/report.json", "data/bundle/model.sig"} <= names
    for name in sorted(names):
        before = flip(folder / name, -1)
        with pytest.raises(InputError, match=re.escape(name)):
            registry.fetch(version)
        (folder / name).write_bytes(before)
    (folder / "code" / "more.py").write_text("")
    with pytest.raises(InputError, match=r"more\.py"):
        verify.verify(target(params))


def load_served_code(params: BundleParams) -> str:
    """Import what serves version 1 in a process of its own, as MLflow does; return what it says."""
    code = f"import sys; sys.path.insert(0, {str(stored(params) / 'code')!r}); import pipeline"
    code += "; import pipeline.adapters.serving; print(pipeline.__file__)"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_bytecode_beside_the_code_that_serves_is_neither_made_nor_accepted(
    params: BundleParams,
) -> None:
    """Python would run it in place of the source, whatever the source's digest."""
    publish.publish(params)
    folder = stored(params)
    assert str(folder) in load_served_code(params)
    assert list(folder.rglob("*.pyc")) == []
    assert verify.verify(target(params)).found
    source = Path("injected.py")
    source.write_text("print('injected')\n__path__, __file__ = [], ''\n")
    for place in ("code", "code/more/__pycache__", "code/pipeline/__pycache__"):
        kept = None
        if (folder / place).is_file():
            kept = (folder / place).read_text()
            (folder / place).unlink()
        made = folder / place / f"__init__.{sys.implementation.cache_tag}.pyc"
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(source), str(made), invalidation_mode=mode)
        with pytest.raises(InputError, match=re.escape(place if kept else str(made))):
            verify.verify(target(params))
        made.unlink()
        if kept:
            assert load_served_code(params)  # which leaves bytecode where nothing bars it
            assert list(made.parent.glob("*.pyc"))
            shutil.rmtree(made.parent)
            made.parent.write_text(kept)
    shutil.rmtree(folder / "code" / "more")
    assert verify.verify(target(params)).found


@pytest.mark.parametrize("with_key", [True, False])
def test_one_bit_changed_in_a_folder_is_refused_by_name(
    params: BundleParams, tmp_path: Path, with_key: bool
) -> None:
    """Unsigned, only what no other file speaks of can change: the bundle's own report."""
    folder = layout.stage_dir("bundle")
    made = Keys(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        if with_key:
            patch.setenv(signing.PUBLIC_KEY, str(made.public))
            signing.sign(folder, made.private)
        assert verify.verify(str(folder)).found
        for name in files.sha256_tree(folder):
            if name == "report.json" and not with_key:
                continue
            before = flip(folder / name, -2)
            with pytest.raises(InputError, match=re.escape(name)):
                verify.verify(str(folder))
            (folder / name).write_bytes(before)
    made_report = reports.read(reports.BundleReport)
    reports.write("bundle", made_report.model_copy(update={"digest": "0" * 64}))
    with pytest.raises(InputError, match=r"report\.json: does not describe the files beside it"):
        trust.check_files(folder)


@pytest.mark.parametrize(
    ("tag", "named"),
    [
        ("bundle_digest", "not what the version was made with"),
        ("stored_digest", r"stored\.json"),
        ("promotion_digest", "its tag promotion_digest"),
        ("policy_digest", "its tag policy_digest"),
        ("log", "is not the log"),
        ("author", "its tag author is '0{64}', and by entry 1 of .* it was"),
        ("git_commit", "its tag git_commit"),
        ("git_dirty", "its tag git_dirty"),
        ("data_md5", "its tag data_md5"),
        ("lock_digest", "its tag lock_digest"),
    ],
)
def test_a_tag_that_was_changed_is_refused_by_name(
    params: BundleParams, tag: str, named: str
) -> None:
    publish.publish(params)
    registry = Registry(params.name)
    registry.tag(registry.get("1"), **{tag: "0" * 64})
    with pytest.raises(InputError, match=named):
        verify.verify(target(params))


def test_a_version_whose_files_and_their_digests_were_all_changed_is_not_in_the_log(
    params: BundleParams,
) -> None:
    """Whoever writes stored.json and its tag anew cannot write the log anew."""
    publish.publish(params)
    registry = Registry(params.name)
    (stored(params) / "code" / "more.py").write_text("")
    listed = files.sha256_tree(stored(params))
    registry.log(registry.get("1"), "stored.json", listed)
    registry.tag(registry.get("1"), stored_digest=files.sha256_digests(listed))
    with pytest.raises(InputError, match="fits its tags: they were changed by hand"):
        verify.verify(target(params))


def test_a_version_that_was_made_again_under_the_number_of_another_is_itself(
    params: BundleParams,
) -> None:
    """Where the registered model was deleted MLflow counts anew, and the log goes on."""
    publish.publish(params)
    tracking.connect().delete_registered_model(params.name)
    init_git()
    assert publish.publish(params).outcome == "promoted"
    assert Registry(params.name).get("1").tags["author"] == AUTHOR
    assert verify.verify(target(params)).found


def test_an_alias_that_was_moved_by_hand_to_what_the_gate_refused_is_refused(
    params: BundleParams,
) -> None:
    bundle_factory.build(params.name, encoder_digest_after="0" * 64)
    publish.publish(params)
    registry = Registry(params.name)
    assert "the gate refuses it" in verify.verify(f"models:/{params.name}/1").summary()
    registry.point("champion", registry.get("1"))
    with pytest.raises(
        InputError, match="the gate has not promoted it; the alias was moved by hand"
    ):
        verify.verify(target(params))


def publish_two(params: BundleParams) -> Registry:
    publish.publish(params)
    bundle_factory.build(params.name, seed=1)
    assert publish.publish(params).version == "2"
    return Registry(params.name)


def test_an_alias_that_was_moved_by_hand_to_a_champion_of_the_past_is_refused(
    params: BundleParams,
) -> None:
    registry = publish_two(params)
    registry.point("champion", registry.get("1"))
    said = r"version 1: .*by entry 2 of .*\(promote\) version 2 is; the alias was moved by hand"
    with pytest.raises(InputError, match=said):
        verify.verify(target(params))
    with pytest.raises(InputError, match=said):
        promote.promote(params, "1")
    bundle_factory.write_bundle(params.name, 0)
    with pytest.raises(InputError, match=said):
        publish.publish(params)
    registry.point("champion", registry.get("2"))
    assert verify.verify(target(params)).found


@pytest.mark.parametrize("with_log", [True, False])
def test_an_alias_that_was_moved_by_hand_to_a_version_taken_back_is_refused(
    params: BundleParams, with_log: bool
) -> None:
    registry = publish_two(params)
    champion.rollback(params)
    assert verify.verify(target(params), with_log).found
    registry.point("champion", registry.get("2"))
    with pytest.raises(InputError, match=r"version 2: .* was rolled back to version 1"):
        verify.verify(target(params), with_log)
    with pytest.raises(InputError, match="was rolled back to version 1"):
        publish.publish(params)
    tracking.connect().delete_model_version_tag(params.name, "2", "rolled_back")
    if with_log:
        with pytest.raises(InputError, match=r"by entry 3 of .*\(rollback\) version 1 is"):
            verify.verify(target(params))


@pytest.mark.parametrize("cut_short", ["before the alias", "after it", "not"])
def test_a_promotion_cut_short_before_the_alias_leaves_the_champion_sound_and_is_told(
    params: BundleParams, monkeypatch: pytest.MonkeyPatch, cut_short: str
) -> None:
    """Unlike one that arrived, whose alias is then moved back by hand."""
    publish.publish(params)
    bundle_factory.build(params.name, seed=1)
    point = Registry.point

    def point_and_stop(self: Registry, alias: str, version: Any) -> None:
        if alias == "champion" and cut_short == "before the alias":
            raise KeyboardInterrupt
        point(self, alias, version)
        if alias == "champion" and cut_short == "after it":
            raise KeyboardInterrupt

    monkeypatch.setattr(Registry, "point", point_and_stop)
    with contextlib.suppress(KeyboardInterrupt):
        publish.publish(params)
    monkeypatch.setattr(Registry, "point", point)
    if cut_short == "before the alias":
        said = verify.verify(target(params)).summary()
        assert "entry 2" in said
        assert "version 2 was to be champion, and is not: publish it again" in said
    assert publish.publish(params).promoted
    registry = Registry(params.name)
    registry.point("champion", registry.get("1"))
    with pytest.raises(InputError, match="moved by hand"):
        verify.verify(target(params))


def test_a_champion_to_which_one_went_back_verifies_though_it_was_refused_since(
    params: BundleParams,
) -> None:
    """Version 1 is published again while version 2 is champion, and the gate refuses it."""
    publish.publish(params)
    bundle_factory.build(params.name, seed=1)
    publish.publish(params)
    layout.POLICY.write_text(layout.POLICY.read_text() + "# edited\n")
    bundle_factory.write_bundle(params.name, 0)
    assert publish.publish(params).outcome == "refused"
    champion.rollback(params)
    assert "the gate passes it" in verify.verify(target(params)).summary()


def test_a_signature_that_the_policy_requires_must_be_there_and_be_checked(
    params: BundleParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish.publish(params)
    text = layout.POLICY.read_text()
    layout.POLICY.write_text(text.replace("require_signature: false", "require_signature: true"))
    with pytest.raises(InputError, match=r"model\.sig: missing"):
        verify.verify(target(params))
    bundle_factory.build(params.name, seed=1)
    layout.POLICY.write_text(text.replace("require_signature: false", "require_signature: true"))
    with pytest.raises(InputError, match="CHARTER_SIGNING_KEY names no key"):
        publish.publish(params)
    assert len(tracking.connect().search_model_versions(f"name = '{params.name}'")) == 1


# The log.


def lines() -> list[str]:
    return decisions.LOG.read_text().splitlines()


def test_a_log_that_was_cut_edited_or_removed_is_found(params: BundleParams) -> None:
    publish.publish(params)
    bundle_factory.build(params.name, seed=1)
    publish.publish(params)
    champion.rollback(params)
    whole = lines()
    assert "3 entries, whole" in verify.verify(target(params)).summary()
    for spoilt, named in [
        (whole[:2], "has 2 entries, and the registry knows of 3"),
        (whole[1:], r"decisions\.jsonl:1: does not follow"),
        ([whole[1], whole[0], whole[2]], r"decisions\.jsonl:1: does not follow"),
        ([whole[0], whole[1].replace('"promote"', '"refuse"'), whole[2]], r"jsonl:3: does not"),
        ([whole[0], whole[1], whole[2].replace("rollback", "promote")], r"jsonl:3: is not the"),
        ([], "is not the log"),
    ]:
        decisions.LOG.write_text("".join(f"{line}\n" for line in spoilt))
        with pytest.raises(InputError, match=named):
            verify.verify(target(params))
    decisions.LOG.unlink()
    with pytest.raises(InputError, match="is not the log"):
        verify.verify(target(params))
    assert "not checked" in verify.verify(target(params), with_log=False).summary()


def test_nothing_is_appended_to_a_log_that_was_tampered_with(params: BundleParams) -> None:
    publish.publish(params)
    decisions.LOG.write_text(decisions.LOG.read_text().replace("promote", "refuse"))
    bundle_factory.build(params.name, seed=1)
    decisions.LOG.write_text(decisions.LOG.read_text() + "{}\n")
    with pytest.raises(InputError, match=r"decisions\.jsonl:2"):
        publish.publish(params)
    assert Registry(params.name).at("champion").number == "1"  # type: ignore[union-attr]


# Waivers.


def build_worse(params: BundleParams, keys: Keys, seed: int = 0) -> None:
    """A bundle of Ann's, worse than word counts, under a policy that has an approver."""
    if not Path(".git").exists():
        init_git()
    bundle_factory.build(params.name, seed=seed)
    raw = yaml.safe_load(layout.POLICY.read_text())
    raw["approvers"] = {"Abe": keys.line}
    layout.POLICY.write_text(yaml.safe_dump(raw))
    made = report_factory.make(files.sha256_file(layout.POLICY))
    evaluate: Any = made["evaluate"]
    test = evaluate.versus["tfidf"]
    worse = test.model_copy(update={"difference": report_factory.estimate(-0.05, 0.01)})
    reports.write(
        "evaluate", evaluate.model_copy(update={"versus": evaluate.versus | {"tfidf": worse}})
    )
    bundle_factory.write_bundle(params.name, seed)


def waive(rule: str = "near-tfidf", **changes: str) -> int:
    given = {
        "author": AUTHOR,
        "approver": "Abe",
        "reason": "Long texts.",
        "compensating-measure": "A weekly sample is read.",
        "expires": (trust.today() + datetime.timedelta(days=1)).isoformat(),
    }
    arguments = [part for key, v in (given | changes).items() for part in (f"--{key}", v)]
    return main(["waive", rule, *arguments])


def pass_days(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    later = trust.today() + datetime.timedelta(days=days)
    monkeypatch.setattr(trust, "today", lambda: later)


def test_an_expired_waiver_takes_the_alias_back_to_the_champion_before(
    params: BundleParams, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is the only thing that is not real here."""
    publish.publish(params)
    build_worse(params, keys, seed=1)
    assert publish.publish(params).outcome == "refused"
    assert waive() == 0
    made = publish.publish(params)
    assert (made.outcome, made.version) == ("promoted", "2")
    assert "waived: near-tfidf by Abe" in made.summary()
    assert "waived: near-tfidf by Abe" in made.markdown()
    assert "with near-tfidf waived" in verify.verify(target(params)).summary()
    assert publish.publish(params).outcome == "already champion"
    pass_days(monkeypatch, 2)
    taken = verify.verify(target(params))
    assert "version 1 is champion again" in taken.withdrawn
    registry = Registry(params.name)
    assert registry.at("champion").number == "1"  # type: ignore[union-attr]
    assert verify.verify(target(params)).withdrawn == ""
    actions = [json.loads(line)["action"] for line in lines()]
    assert actions == ["promote", "refuse", "waive", "promote", "withdraw"]
    again = publish.publish(params)
    assert again.outcome == "refused"
    assert "it expired on" in again.summary()


def test_an_expired_waiver_leaves_no_champion_where_there_was_none_before(
    params: BundleParams,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build_worse(params, keys)
    waive()
    assert publish.publish(params).outcome == "promoted"
    assert main(["verify", target(params)]) == 0
    pass_days(monkeypatch, 2)
    assert main(["verify", target(params)]) == REFUSED_CODE
    assert "there is none now" in capsys.readouterr().out
    assert Registry(params.name).at("champion") is None
    assert main(["verify", target(params)]) == 2


@pytest.mark.parametrize("deleted", [True, False])
def test_an_expired_champion_goes_though_the_one_before_is_deleted_or_damaged(
    params: BundleParams, keys: Keys, monkeypatch: pytest.MonkeyPatch, deleted: bool
) -> None:
    publish.publish(params)
    build_worse(params, keys, seed=1)
    waive()
    assert publish.publish(params).version == "2"
    if deleted:
        tracking.connect().delete_model_version(params.name, "1")
    else:
        flip(stored(params) / "data" / "bundle" / "config.json", -1)
    pass_days(monkeypatch, 2)
    taken = verify.verify(target(params)).withdrawn
    assert "there is none now: the one before cannot be: " in taken
    assert ("version=1) not found" if deleted else "config.json: changed") in taken
    registry = Registry(params.name)
    assert registry.at("champion") is None
    assert json.loads(lines()[-1])["to_version"] is None
    assert taken.partition("cannot be: ")[2] in json.loads(lines()[-1])["reasons"][1]


def test_an_author_cannot_waive_for_a_bundle_of_their_own(
    params: BundleParams, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    """Abe made it, and is an approver with a key: neither the command nor a file will do."""
    init_git("Abe")
    build_worse(params, keys)
    for author in ("", "Abe", "Nobody At All"):
        assert waive(author=author) == 2
    assert "the commit is by Abe" in capsys.readouterr().err
    bundle = reports.read(reports.BundleReport).digest
    signed = keys.sign(make_waiver(bundle=bundle, author="Nobody At All", approver="Abe"))
    files.write_text(waivers.FOLDER / "w.yaml", yaml.safe_dump(signed.model_dump()))
    made = publish.publish(params)
    assert made.outcome == "refused"
    assert "it is for a bundle by Nobody At All, not Abe" in made.summary()


def test_without_a_commit_there_is_no_author_and_no_waiver(
    params: BundleParams, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    build_worse(params, keys)
    shutil.rmtree(".git")
    assert waive(author="") == 2
    assert "git names no author" in capsys.readouterr().err


def test_a_waiver_falls_with_its_approver(params: BundleParams, keys: Keys) -> None:
    build_worse(params, keys)
    waive()
    assert publish.publish(params).outcome == "promoted"
    raw = yaml.safe_load(layout.POLICY.read_text())
    layout.POLICY.write_text(yaml.safe_dump(raw | {"approvers": {}}))
    assert "Abe is not among" in verify.verify(target(params)).withdrawn
    layout.POLICY.write_text(yaml.safe_dump(raw))
    registry = Registry(params.name)
    registry.point("champion", registry.get("1"))
    for with_log in (True, False):
        with pytest.raises(InputError, match="was withdrawn; the alias was moved by hand"):
            verify.verify(target(params), with_log)


@pytest.mark.parametrize(
    ("rule", "changes", "named"),
    [
        ("same-encoder", {}, "does not call same-encoder waivable"),
        ("none", {}, "has no rule none"),
        ("near-tfidf", {"approver": "ann  AUTHOR"}, "another person"),
        ("near-tfidf", {"author": "Nobody At All"}, "the commit is by Ann Author"),
        ("near-tfidf", {"approver": "Bea"}, "Bea is not among"),
        ("near-tfidf", {"expires": "2020-01-01"}, "it expired on 2020-01-01"),
        ("near-tfidf", {"expires": "soon"}, "--expires soon: not a date"),
        ("near-tfidf", {"reason": " "}, "--reason"),
    ],
)
def test_a_waiver_that_would_not_hold_is_not_written(  # noqa: PLR0917
    rule: str,
    changes: dict[str, str],
    named: str,
    params: BundleParams,
    keys: Keys,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build_worse(params, keys)
    assert waive(rule, **changes) == 2
    assert named in capsys.readouterr().err
    assert not Path("waivers").exists()


@pytest.mark.parametrize("text", ["models:/x", "models:/x@", "models:/x/y", "models:/x@c/1"])
def test_an_unknown_target_is_refused(text: str) -> None:
    shutil.copy(bundle_factory.ROOT / "policy.yaml", "policy.yaml")
    with pytest.raises(InputError, match="not a target"):
        verify.verify(text)
    with pytest.raises(InputError, match="not a folder"):
        verify.verify("nowhere")
