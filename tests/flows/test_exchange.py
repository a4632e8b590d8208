"""What one clone made, another has through the remote alone: a folder, or an S3 server (moto)."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import machines
import pytest
import servers
import workspace
import yaml

from flows import exchange, graph, snapshot
from pipeline import files
from pipeline.errors import InputError

pytestmark = pytest.mark.slow
GRAPH = {name: machines.GRAPH[name] for name in ("validate", "tokenise")}
BUCKET = "charter"


@pytest.fixture(params=["folder", "s3"])
def origin(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    monkeypatch.setenv("TOY_RAN", str(tmp_path / "ran"))
    with contextlib.ExitStack() as stack:
        if request.param == "folder":
            yield build(tmp_path)
        else:
            url = stack.enter_context(servers.s3(BUCKET, monkeypatch))
            made = machines.build(tmp_path, f"s3://{BUCKET}/dvc", GRAPH)
            dvc(made, "remote", "modify", "team", "endpointurl", url)
            workspace.run(made, "git", "commit", "--quiet", "--all", "--message", "Endpoint")
            yield made


def build(folder: Path) -> Path:
    """Make the repository that the machines clone, whose remote is ``folder``/remote."""
    remote = folder / "remote"
    remote.mkdir()
    return machines.build(folder, str(remote), GRAPH)


def dvc(folder: Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *command], cwd=folder, check=True)


def test_a_stage_done_in_one_clone_is_restored_in_another_and_never_done_again(
    origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = machines.clone(origin, "host", with_data=True)
    worker = machines.clone(origin, "worker")
    monkeypatch.chdir(host)
    exchange.check_remote()
    exchange.push()
    for stage in GRAPH:
        monkeypatch.chdir(host)
        assert not exchange.restore(stage)
        sent = snapshot.files()
        assert do(worker, stage, sent, monkeypatch)
        monkeypatch.chdir(host)
        assert exchange.restore(stage)
        assert {node.name: node.current for node in graph.nodes()}[stage]
    assert (host / "dvc.lock").read_text() == (worker / "dvc.lock").read_text()
    assert machines.ran(origin.parent) == ["validate worker", "tokenise worker"]


@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_what_is_damaged_in_the_remote_is_used_by_nobody_and_made_again(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC by itself hands it on, under the hash of what it was."""
    monkeypatch.setenv("TOY_RAN", str(tmp_path / "ran"))
    origin = build(tmp_path)
    host = machines.clone(origin, "host", with_data=True)
    first, other, third = (machines.clone(origin, name) for name in ("first", "other", "third"))
    monkeypatch.chdir(host)
    exchange.push()
    sent = snapshot.files()
    do(first, "validate", sent, monkeypatch)
    made = first / "build/validate/rows.txt"
    md5 = files.md5_file(made)
    spoil(tmp_path / "remote/files/md5" / md5[:2] / md5[2:], damage)
    lock = snapshot.files()
    monkeypatch.chdir(host)
    assert not exchange.restore("validate")
    monkeypatch.chdir(third)
    snapshot.write(lock)
    with pytest.raises(exchange.RemoteError):
        exchange.pull_inputs("tokenise")
    do(other, "validate", sent, monkeypatch)
    assert machines.ran(tmp_path) == ["validate first", "validate other"]
    monkeypatch.chdir(host)
    assert exchange.restore("validate")
    assert (host / "build/validate/rows.txt").read_text() == made.read_text()
    monkeypatch.chdir(third)
    exchange.pull_inputs("tokenise")
    assert (third / "build/validate/rows.txt").read_text() == made.read_text()


def do(clone: Path, stage: str, sent: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Do what `workers.run_sent_stage` does; return whether the stage was run."""
    monkeypatch.chdir(clone)
    snapshot.write(sent)
    exchange.pull_inputs(stage)
    ran = not exchange.restore(stage)
    if ran:
        dvc(clone, "repro", "--quiet", "--single-item", stage)
    exchange.push(stage, anew=ran)
    return ran


def spoil(path: Path, damage: str) -> None:
    """Flip a bit, or delete; it is read-only again after, as DVC leaves it."""
    data = bytearray(path.read_bytes())
    data[-6] ^= 1  # of a list, in the name of a file
    path.unlink()
    if damage == "flipped":
        path.write_bytes(data)
        path.chmod(0o444)


@pytest.mark.parametrize("what", ["a file", "the list of a folder"])
def test_an_object_spoilt_in_the_cache_here_is_fetched_again(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_RAN", str(tmp_path / "ran"))
    host = build(tmp_path)
    monkeypatch.chdir(host)
    dvc(host, "repro", "--quiet", "validate")
    exchange.push()
    made = Path("build/validate/rows.txt")
    text = made.read_text()
    md5 = files.md5_file(made)
    before = Path("dvc.lock").read_text()
    if what == "the list of a folder":
        (md5,) = {out["md5"] for out in yaml.safe_load(before)["stages"]["validate"]["outs"]}
    spoil(Path(".dvc/cache/files/md5") / md5[:2] / md5[2:], "flipped")
    assert exchange.restore("validate")
    assert made.read_text() == text
    assert Path("dvc.lock").read_text() == before


def test_stale_inputs_of_a_worker_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that keeps an older data/ must not run on it."""
    host = build(tmp_path)
    worker = machines.clone(host, "worker", with_data=True)
    (host / "data" / "rows.txt").write_text("newer\n")
    dvc(host, "add", "--quiet", "data")
    monkeypatch.chdir(host)
    exchange.push()
    sent = snapshot.files()
    monkeypatch.chdir(worker)
    snapshot.write(sent)
    exchange.pull_inputs("validate")
    assert (worker / "data" / "rows.txt").read_text() == "newer\n"


def test_imported_data_come_from_their_source_which_a_worker_must_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC pushes no import to the remote, and so no worker finds it there."""
    upstream = machines.build(tmp_path / "theirs", str(tmp_path / "their-remote"), GRAPH)
    dvc(upstream, "push", "--quiet")
    host = build(tmp_path)
    dvc(host, "remove", "data.dvc")
    shutil.rmtree(host / "data")
    dvc(host, "import", "--quiet", str(upstream), "data")
    workspace.run(host, "git", "add", "--all")
    workspace.run(host, "git", "commit", "--quiet", "--message", "Theirs")
    monkeypatch.chdir(host)
    exchange.push()
    assert not list((tmp_path / "remote").iterdir())
    monkeypatch.chdir(machines.clone(host, "worker"))
    exchange.pull_inputs("validate")
    assert Path("data/rows.txt").read_text() == "one\n"
    monkeypatch.chdir(machines.clone(host, "far"))
    upstream.rename(tmp_path / "elsewhere")
    with pytest.raises(exchange.RemoteError):
        exchange.pull_inputs("validate")


def test_a_remote_that_does_not_have_the_inputs_is_an_error_that_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = build(tmp_path)
    shutil.rmtree(worker / ".dvc" / "cache")
    (worker / "data" / "rows.txt").unlink()
    monkeypatch.chdir(worker)
    with pytest.raises(exchange.RemoteError, match="dvc remote list"):
        exchange.pull_inputs("validate")


def test_a_file_that_is_not_committed_is_named_unless_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = machines.build(tmp_path, str(tmp_path), GRAPH)
    monkeypatch.chdir(clone)
    (clone / "params.yaml").write_text((clone / "params.yaml").read_text() + "# small\n")
    assert snapshot.commit() == workspace.run(clone, "git", "rev-parse", "HEAD").stdout.strip()
    (clone / "toy.py").write_text("")
    with pytest.raises(InputError, match=r"^toy\.py: not as committed"):
        snapshot.commit()


def test_without_a_remote_the_command_that_adds_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    with pytest.raises(InputError, match="dvc remote add --default"):
        exchange.check_remote()


def test_a_file_that_is_not_sent_to_workers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"\.\./\.bashrc: workers accept only"):
        snapshot.write({"../.bashrc": "x"})
    assert not list(tmp_path.iterdir())
