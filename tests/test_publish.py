"""Publication: one verified version a bundle, the gate's word recorded, the alias moved last."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pytest
import report_factory

from pipeline import challenge, champion, files, layout, publish, reports, verify
from pipeline import decisions as decisions_log
from pipeline.__main__ import REFUSED_CODE, main
from pipeline.adapters import registry, rows, tracking
from pipeline.adapters.registry import Registry
from pipeline.encoder import classifier
from pipeline.errors import InputError
from pipeline.params import BundleParams
from pipeline.policy import gate


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)


@pytest.fixture
def params(tmp_path: Path) -> BundleParams:
    """A registered model of the test's own, and a workspace whose bundle has its name."""
    name = tmp_path.name
    bundle_factory.build(name)
    return BundleParams(name=name)


def aliases(name: str) -> dict[str, str]:
    return {k: v.number for k in ("champion", "challenger") if (v := Registry(name).at(k))}


def versions(name: str) -> list[Any]:
    found = tracking.connect().search_model_versions(f"name = '{name}'")
    return sorted(found, key=lambda version: int(version.version))


def decisions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in decisions_log.LOG.read_text().splitlines()]


def spoil(stage: str, **fields: Any) -> None:
    """Change a report and make a bundle of it: a run that went less well."""
    report = reports.read(reports.STAGE_REPORTS[stage])
    reports.write(stage, report.model_copy(update=fields))


def test_a_good_bundle_is_registered_with_its_provenance_and_promoted(params: BundleParams) -> None:
    made = publish.publish(params)
    assert made.outcome == "promoted"
    assert aliases(params.name) == {"champion": "1", "challenger": "1"}
    (version,) = versions(params.name)
    assert version.tags["bundle_digest"] == reports.read(reports.BundleReport).digest
    assert version.tags["policy_digest"] == files.sha256_file(layout.POLICY)
    assert version.tags["lock_digest"] == files.sha256_file(layout.LOCK)
    assert version.tags["data_md5"] == "0123456789abcdef.dir"
    assert version.tags["decision"] == "promoted"
    kept = tracking.download(f"runs:/{version.run_id}/decision.json")
    assert gate.Decision.model_validate_json(kept.read_text()) == made.decision
    assert [entry["action"] for entry in decisions()] == ["promote"]
    assert made.page in made.summary()
    assert "beats-majority" in made.markdown()


def test_no_pickle_is_stored_and_the_bundle_is_stored_byte_for_byte(params: BundleParams) -> None:
    publish.publish(params)
    stored = tracking.download(f"models:/{params.name}/1")
    names = [path.name for path in stored.rglob("*")]
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".bin", ".pt"))]
    kept = files.sha256_tree(stored / "data" / "bundle")
    assert kept == files.sha256_tree(layout.stage_dir("bundle"))


def test_the_same_bundle_twice_is_one_version_and_changes_nothing(params: BundleParams) -> None:
    publish.publish(params)
    again = publish.publish(params)
    assert again.outcome == "already champion"
    assert again.promoted
    assert len(versions(params.name)) == len(decisions()) == 1


def test_a_refusal_is_recorded_with_its_reasons_and_makes_no_champion(params: BundleParams) -> None:
    bundle_factory.build(params.name, encoder_digest_after="0" * 64)
    for _ in range(2):
        made = publish.publish(params)
        assert (made.outcome, made.version) == ("refused", "1")
    assert aliases(params.name) == {"challenger": "1"}
    (version,) = versions(params.name)
    assert version.tags["decision"] == "refused"
    assert "encoder-frozen" in version.tags["reasons"]
    assert [entry["action"] for entry in decisions()] == ["refuse", "refuse"]
    assert "encoder-frozen" in decisions()[0]["reasons"][0]
    assert made.decision is not None
    assert [v.rule for v in made.decision.verdicts if v.blocks] == ["encoder-frozen"]


def edit_policy(params: BundleParams, seed: int) -> None:
    """Change policy.yaml and run every stage after it: the same test rows under other limits."""
    bundle_factory.build(params.name, seed=seed)
    layout.POLICY.write_text(layout.POLICY.read_text() + "# edited\n")
    report_factory.write(files.sha256_file(layout.POLICY))
    bundle_factory.write_bundle(params.name, seed)


def test_a_pass_by_other_limits_after_a_refusal_on_the_same_rows_says_so_for_good(
    params: BundleParams,
) -> None:
    bundle_factory.build(params.name, encoder_digest_after="0" * 64)
    publish.publish(params)
    (refusal,) = decisions()
    edit_policy(params, seed=1)
    made = publish.publish(params)
    assert made.promoted
    assert made.decision is not None
    (said,) = made.decision.refused_before
    told = "refused version 1 of .* on the same test rows by another policy.yaml, "
    assert re.search(told + refusal["judged_by"][:12], said)
    assert f"warning: {said}" in made.summary()
    assert f"warning: {said}" in made.markdown().replace("\\", "")
    assert versions(params.name)[1].tags["refused_before"] == said
    assert decisions()[-1]["refused_before"] == [said]
    assert said in verify.verify(f"models:/{params.name}@champion").summary()


@pytest.mark.parametrize("why", ["other rows", "the same limits", "limits changed too late"])
def test_a_pass_after_a_refusal_of_another_kind_says_nothing(
    params: BundleParams, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Without a run anew, policy.yaml's change is itself what the gate refuses."""
    if why == "limits changed too late":
        layout.POLICY.write_text(layout.POLICY.read_text() + "# edited\n")
    else:
        bundle_factory.build(params.name, encoder_digest_after="0" * 64)
    assert publish.publish(params).outcome == "refused"
    if why == "the same limits":
        bundle_factory.build(params.name, seed=1)
    else:
        edit_policy(params, seed=1)
        if why == "limits changed too late":
            bundle_factory.build(params.name, seed=1)
    if why == "other rows":
        digest = {"digest": "7" * 64}
        split = reports.read(reports.SplitReport)
        spoil("split", test=split.test.model_copy(update=digest))
        spoil("evaluate", test_digest="7" * 64)
        bundle_factory.write_bundle(params.name, 1)
    made = publish.publish(params)
    assert made.promoted
    assert made.decision is not None
    assert made.decision.refused_before == ()


@pytest.mark.parametrize("after", ["add", "point-challenger", "tag", "point-champion"])
def test_a_publication_cut_short_is_completed_and_not_doubled(
    params: BundleParams, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """Killed after a write to the registry: there is no champion, or a whole one."""
    method, _, alias = after.partition("-")
    original = getattr(Registry, method)

    def killed_after(self: Registry, *arguments: Any, **tags: Any) -> Any:
        done = original(self, *arguments, **tags)
        if not alias or arguments[0] == alias:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(Registry, method, killed_after)
    with pytest.raises(KeyboardInterrupt):
        publish.publish(params)
    monkeypatch.setattr(Registry, method, original)
    assert aliases(params.name).get("champion") == ("1" if after == "point-champion" else None)
    assert publish.publish(params).promoted
    assert len(versions(params.name)) == 1
    assert aliases(params.name)["champion"] == "1"


def test_two_publications_at_once_make_one_version_and_do_not_interleave(
    params: BundleParams,
) -> None:
    """One waits for the other, and then finds the champion where it is."""
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(publish.publish, [params, params]))
    assert sorted(each.outcome for each in made) == ["already champion", "promoted"]
    assert len(versions(params.name)) == len(decisions()) == 1


def test_two_workspaces_that_make_a_version_of_one_bundle_keep_the_earlier(
    params: BundleParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second does not see the first's version until it has made its own."""
    publish.publish(params)
    find, asked = Registry.find, []

    def find_nothing_at_first(self: Registry, digest: str) -> Any:
        asked.append(digest)
        return None if len(asked) == 1 else find(self, digest)

    monkeypatch.setattr(Registry, "find", find_nothing_at_first)
    made = publish.publish(params)
    assert (made.outcome, made.version) == ("already champion", "1")
    assert [version.version for version in versions(params.name)] == [1]


def test_a_champion_that_another_workspace_has_moved_meanwhile_is_not_overwritten(
    params: BundleParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two retrainings end at once: the later one was judged against a champion of the past."""
    publish.publish(params)
    bundle_factory.build(params.name, seed=1)
    compare = challenge.compare

    def compare_while_it_moves(registry: Registry, *arguments: Any) -> Any:
        compared = compare(registry, *arguments)
        registry.unpoint("champion")
        return compared

    monkeypatch.setattr(challenge, "compare", compare_while_it_moves)
    with pytest.raises(InputError, match=r"moved from elsewhere.*publish again"):
        publish.publish(params)
    assert "champion" not in aliases(params.name)
    assert publish.publish(params).promoted


# The champion on the same test rows.


def answers_of(folder: Path) -> np.ndarray:
    texts = rows.read_split("test").texts
    return classifier.load_bundle(folder).probabilities(texts).argmax(axis=1)


def set_labels(labels: np.ndarray, right: float) -> None:
    """Let the test rows have these labels, and the new bundle a share of them right."""
    test = rows.read_split("test")
    rows.write_table(rows.split_path("test"), {"id": test.ids, "text": test.texts, "label": labels})
    said = np.where(np.arange(len(labels)) < right * len(labels), labels, 1 - labels)
    predictions = layout.stage_dir("evaluate") / "predictions.parquet"
    rows.write_table(predictions, {"id": test.ids, "label": labels, "predicted": said})


@pytest.mark.parametrize(("right", "outcome"), [(1.0, "promoted"), (0.9, "refused")])
def test_a_challenger_worse_than_the_champion_on_the_same_rows_is_refused(
    params: BundleParams, right: float, outcome: str
) -> None:
    publish.publish(params)
    champions = answers_of(layout.stage_dir("bundle"))
    bundle_factory.build(params.name, seed=1)
    set_labels(champions, right)  # the champion has every row right
    made = publish.publish(params)
    assert (made.outcome, made.version) == (outcome, "2")
    assert made.decision is not None
    assert made.decision.champion is not None
    difference = made.decision.champion.difference
    assert difference.point == pytest.approx(right - 1)
    assert difference.n == len(champions)
    assert aliases(params.name)["champion"] == ("2" if outcome == "promoted" else "1")


def test_a_champion_with_other_labels_or_lost_files_is_no_comparison(params: BundleParams) -> None:
    publish.publish(params)
    bundle_factory.build(params.name, seed=1, labels=("bad", "good"))
    made = publish.publish(params)
    assert made.outcome == "refused"
    assert "the champion's labels are negative, positive" in made.summary()
    stored = tracking.download(f"models:/{params.name}/1") / "data" / "bundle"
    (stored / "model.safetensors").unlink()
    made = publish.publish(params)
    assert made.outcome == "refused"
    assert "model.safetensors: missing" in made.summary()
    assert aliases(params.name)["champion"] == "1"


# Bundles and registries that are not whole.


def test_a_bundle_with_a_byte_changed_is_refused_by_its_file(params: BundleParams) -> None:
    weights = layout.stage_dir("bundle") / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"model\.safetensors: changed"):
        publish.publish(params)
    assert versions(params.name) == []


def test_a_version_with_a_byte_changed_in_the_registry_gets_no_alias(params: BundleParams) -> None:
    bundle_factory.build(params.name, encoder_digest_after="0" * 64)
    publish.publish(params)
    stored = tracking.download(f"models:/{params.name}/1") / "data" / "bundle" / "config.json"
    stored.write_text(stored.read_text() + " ")
    with pytest.raises(InputError, match=r"config\.json: changed"):
        publish.publish(params)
    assert "champion" not in aliases(params.name)


def test_reports_that_are_not_the_bundles_are_refused(params: BundleParams) -> None:
    accuracy = reports.read(reports.EvaluateReport).model
    spoil("evaluate", model=accuracy, test_rows=9999)
    with pytest.raises(InputError, match=r"evaluate/report\.json: not what the bundle holds"):
        publish.publish(params)


def test_a_bundle_of_another_name_is_refused(params: BundleParams) -> None:
    with pytest.raises(InputError, match="not 'other'"):
        publish.publish(BundleParams(name="other"))


@pytest.mark.parametrize(
    ("spoilt", "named"),
    [
        (lambda: Path("data.dvc").unlink(), r"data\.dvc: not found"),
        (lambda: Path("data.dvc").write_text("outs: []\n"), r"data\.dvc: has no outs"),
        (layout.LOCK.unlink, r"requirements\.lock: not found"),
        (lambda: layout.POLICY.write_text("rules: ["), r"policy\.yaml:1:\d+: not YAML"),
        (lambda: layout.report_path("audit").unlink(), r"audit/report\.json: not found"),
        (lambda: layout.report_path("audit").write_text("{"), r"audit/report\.json:1:2: not JSON"),
    ],
)
def test_what_is_missing_or_unreadable_is_named(
    params: BundleParams, spoilt: Any, named: str
) -> None:
    spoilt()
    with pytest.raises(InputError, match=named):
        publish.publish(params)


@pytest.mark.parametrize("uri", ["http://me:secret@127.0.0.1:9", "sqlite:///broken.db"])
def test_a_registry_that_cannot_be_read_is_said_without_credentials(
    params: BundleParams, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    Path("broken.db").write_text("this is no database" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(InputError, match=r"MLflow at .*may have arrived") as raised:
        publish.publish(params)
    assert "secret" not in str(raised.value)


def test_nothing_is_claimed_of_a_write_whose_answer_never_came(
    params: BundleParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alias arrives, and the answer does not."""
    client = type(tracking.connect())
    original = client.set_registered_model_alias

    def write_and_time_out(self: Any, name: str, alias: str, version: str) -> None:
        original(self, name, alias, version)
        if alias == "champion":
            raise ConnectionError("Read timed out.")

    monkeypatch.setattr(client, "set_registered_model_alias", write_and_time_out)
    with pytest.raises(InputError, match=r"Read timed out.; what was being written may have"):
        publish.publish(params)
    assert aliases(params.name)["champion"] == "1"
    with pytest.raises(InputError, match=r"version=9\) not found$"):
        Registry(params.name).get("9")


def test_the_summary_has_the_aliases_that_the_registry_has(params: BundleParams) -> None:
    assert "its alias is challenger and champion" in publish.publish(params).summary()
    bundle_factory.build(params.name, seed=1, encoder_digest_after="0" * 64)
    assert publish.publish(params).summary().count("its alias is challenger\n") == 1
    bundle_factory.build(params.name)
    assert "its alias is champion\n" in publish.publish(params).summary()


# Rollback.


def test_rollback_goes_one_promotion_further_back_each_time_and_never_forward(
    params: BundleParams,
) -> None:
    for seed in range(3):
        bundle_factory.build(params.name, seed=seed)
        assert publish.publish(params).promoted
    assert "version 2 is champion again" in champion.rollback(params)
    assert "version 1 is champion again" in champion.rollback(params)
    with pytest.raises(InputError, match="version 1 has no champion before it"):
        champion.rollback(params)
    assert aliases(params.name)["champion"] == "1"
    assert [entry["action"] for entry in decisions()] == ["promote"] * 3 + ["rollback"] * 2


def test_a_version_that_was_rolled_back_is_not_promoted_again_by_itself(
    params: BundleParams,
) -> None:
    publish.publish(params)
    bundle_factory.build(params.name, seed=1)
    publish.publish(params)
    champion.rollback(params)
    made = publish.publish(params)
    assert (made.outcome, made.version) == ("refused", "2")
    assert "was rolled back to version 1; delete its tag `rolled_back`" in made.summary()
    assert aliases(params.name)["champion"] == "1"
    tracking.connect().delete_model_version_tag(params.name, "2", "rolled_back")
    assert publish.publish(params).outcome == "promoted"


def test_rollback_does_not_return_to_files_that_changed(params: BundleParams) -> None:
    publish.publish(params)
    bundle_factory.build(params.name, seed=1)
    publish.publish(params)
    stored = tracking.download(f"models:/{params.name}/1") / "data" / "bundle" / "README.md"
    stored.write_text("other")
    with pytest.raises(InputError, match=r"README\.md"):
        champion.rollback(params)
    assert aliases(params.name)["champion"] == "2"


def test_rollback_without_a_champion_says_so(params: BundleParams) -> None:
    with pytest.raises(InputError, match="has no champion"):
        champion.rollback(params)


# The command line, and the server.


def test_publish_exits_with_0_when_promoted_and_3_when_refused(
    params: BundleParams, capfd: pytest.CaptureFixture[str]
) -> None:
    config = Path("params.yaml")
    config.write_text(re.sub(r"name: .*", f"name: {params.name}", config.read_text(), count=1))
    assert main(["publish"]) == 0
    said = capfd.readouterr()
    assert "promoted" in said.out
    assert "INFO" not in said.err
    bundle_factory.build(params.name, seed=1, encoder_digest_after="0" * 64)
    config.write_text(re.sub(r"name: .*", f"name: {params.name}", config.read_text(), count=1))
    assert main(["publish"]) == REFUSED_CODE == 3
    assert main(["rollback"]) == 2
    assert "no champion before it" in capfd.readouterr().err


def ask(port: int, texts: list[str]) -> Any:
    body = json.dumps({"dataframe_records": [{"text": text} for text in texts]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)["predictions"]


@contextlib.contextmanager
def serving(
    params: BundleParams, log_path: Path
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Yield `mlflow models serve` on the champion, as the README says it, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["mlflow", "models", "serve", "-m", f"models:/{params.name}@champion"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--env-manager", "local"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log_path.open("w") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**os.environ, "PATH": path},
            start_new_session=True,
        )
    try:
        yield server, port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


@pytest.mark.slow
def test_the_champion_is_served_on_loopback_and_answers_as_it_was_evaluated(
    params: BundleParams, tmp_path: Path
) -> None:
    """As the encoder's own code answers; a text longer than the model reads is cut."""
    publish.publish(params)
    texts = ["good film", "bad", "good " * 100]
    with serving(params, tmp_path / "serve.log") as (server, port):
        said = _until_it_answers(port, texts, server)
    assert verify.verify(f"models:/{params.name}@champion").found  # serving has left nothing there
    probabilities = classifier.load_bundle(layout.stage_dir("bundle")).probabilities(texts)
    labels = [report_factory.LABELS[place] for place in probabilities.argmax(axis=1)]
    assert [each["label"] for each in said] == labels
    assert [each["score"] for each in said] == pytest.approx(probabilities.max(axis=1), abs=1e-6)


@pytest.mark.slow
def test_a_tampered_champion_is_refused_at_load_and_answers_no_request(
    params: BundleParams, tmp_path: Path
) -> None:
    publish.publish(params)
    stored = tracking.download(f"models:/{params.name}/1") / "data" / "bundle"
    path = stored / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(bytes(data))
    log = tmp_path / "serve.log"
    with serving(params, log) as (_, port):
        until = time.monotonic() + 120
        while "model.safetensors: changed" not in log.read_text():
            assert time.monotonic() < until, log.read_text()
            with pytest.raises((urllib.error.URLError, ConnectionError)):
                ask(port, ["good film"])
            time.sleep(0.3)


def _until_it_answers(port: int, texts: list[str], server: subprocess.Popen[bytes]) -> Any:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            return ask(port, texts)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.3)
    raise AssertionError(Path("serve.log").read_text())


def test_the_versions_page_has_the_sections_of_the_card_that_fit(tmp_path: Path) -> None:
    card = "\n".join(f"## Section {n}\n" + 30 * f"words of {n} " for n in range(40))
    (tmp_path / "README.md").write_text(f"---\nlanguage: en\n---\n{card}")
    shown = registry.shorten_card(tmp_path)
    assert shown.startswith("## Section 0\n")
    assert len(shown) <= 5000
    *sections, last = shown.split("\n\n")
    assert last == "More is in README.md among the version's files."
    assert card.startswith("\n\n".join(sections))
