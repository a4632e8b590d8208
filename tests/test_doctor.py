"""The doctor: each check is seen to fail where what it looks at is really broken."""

import contextlib
import fcntl
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import servers as local_servers
import yaml
from signing_keys import Keys

from pipeline import decisions, doctor, files, layout, telemetry
from pipeline.__main__ import main
from pipeline.adapters import tracking
from pipeline.doctor import environment, keys, leftovers, recorded, servers
from pipeline.doctor.finding import Finding

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    for name in ("CHARTER_SIGNING_KEY", "CHARTER_PUBLIC_KEY", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("params.yaml", "policy.yaml"):
        shutil.copy(ROOT / name, name)


def worst(found: Iterator[Finding]) -> Finding:
    """Return the worst of a check's findings; all but an ok one say what to do."""
    findings = list(found)
    assert findings
    assert all(bool(each.advice) == (each.verdict != "ok") for each in findings)
    return max(findings, key=lambda each: ("ok", "warn", "wrong").index(each.verdict))


def test_an_old_python_is_reported_as_wrong() -> None:
    assert worst(environment.check_python()).verdict == "ok"
    assert worst(environment.check_python((3, 10, 4))).found == "3.10.4"
    assert worst(environment.check_python((3, 10, 4))).verdict == "wrong"


def test_packages_are_compared_with_the_lock() -> None:
    assert worst(environment.check_packages()).found == "requirements.lock: not found"
    lock = Path("requirements.lock")
    shutil.copy(ROOT / lock, lock)
    assert worst(environment.check_packages()).verdict == "ok"
    lock.write_text("# a comment\nnumpy==1.0.0\nno-such-package==1.0 ; python_version > '3'\n")
    missing, other = environment.check_packages()
    assert (missing.verdict, missing.found) == ("wrong", "not installed: no-such-package")
    assert other.verdict == "warn"
    assert "(not 1.0.0)" in other.found


def test_little_memory_is_said(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    for kib, verdict in ((500_000, "wrong"), (3_000_000, "warn"), (9_000_000, "ok")):
        meminfo.write_text(f"MemTotal: 99 kB\nMemAvailable: {kib} kB\n")
        assert worst(environment.check_memory(meminfo)).verdict == verdict


def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a disk in memory on a folder; skip where that is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mount is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_reported_as_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.contextmanager(mounted)(tmp_path / "disk", "size=1m"):
        monkeypatch.chdir(tmp_path / "disk")
        found = worst(environment.check_disk())
        monkeypatch.chdir(tmp_path)
    assert (found.check, found.verdict, found.found) == ("disk", "wrong", "0.0 GB free")


def test_telemetry_that_is_on_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry.switch_off()
    assert worst(environment.check_telemetry()).found == "not off: DVC's core.analytics"
    shutil.copytree(ROOT / ".dvc", ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    assert worst(environment.check_telemetry()).verdict == "ok"
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    assert "MLFLOW_DISABLE_TELEMETRY" in worst(environment.check_telemetry()).found


@pytest.mark.parametrize("name", ["params.yaml", "policy.yaml"])
def test_a_file_that_cannot_be_read_is_wrong(name: str) -> None:
    assert worst(recorded.check_files()).verdict == "ok"
    Path(name).write_text("size: [")
    found = worst(recorded.check_files())
    assert (found.check, found.verdict) == (name, "wrong")
    assert "not YAML" in found.found


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, capture_output=True)


def test_git_says_what_a_version_would_be_tagged_with() -> None:
    assert worst(recorded.check_git()).found == "no commit here"
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "First")
    assert worst(recorded.check_git()).verdict == "ok"
    Path("params.yaml").write_text("changed")
    assert "with uncommitted changes" in worst(recorded.check_git()).found


def test_data_and_stages_that_are_not_on_record_are_found() -> None:
    """Against DVC's own word, in a repository of one stage."""
    assert worst(recorded.check_dvc()).verdict == "wrong"  # no repository
    dvc("init", "--no-scm", "--quiet")
    Path("data").mkdir()
    Path("data/rows.jsonl").write_text("{}\n")
    dvc("add", "--quiet", "data")
    Path("dvc.yaml").write_text("stages: {split: {cmd: touch out, outs: [out]}}\n")
    dvc("repro", "--quiet")
    assert worst(recorded.check_dvc()).verdict == "ok"
    Path("data/rows.jsonl").write_text('{"text": "more"}\n')
    Path("out").unlink()
    data, lock = recorded.check_dvc()
    assert (data.check, data.verdict) == ("data", "wrong")
    assert "dvc add data" in data.advice
    assert (lock.verdict, lock.found) == ("warn", "not up to date: split")


def test_a_log_of_decisions_that_was_edited_is_wrong() -> None:
    decisions.append("refuse", name="m", version="1")
    decisions.append("promote", name="m", version="1")
    assert worst(recorded.check_decisions()).found == "2 entries, whole"
    decisions.LOG.write_text(decisions.LOG.read_text().replace("refuse", "accept"))
    assert worst(recorded.check_decisions()).verdict == "wrong"


def test_a_lock_that_is_held_is_said_with_its_holder() -> None:
    path = layout.STATE / "publish.lock"
    with files.locked(path):
        found = worst(leftovers.check_locks())
        assert found.verdict == "warn"
        assert f"{path} is held by process {os.getpid()} (" in found.found
    assert worst(leftovers.check_locks()).found == "none of 1 is held"
    Path(".dvc/tmp").mkdir(parents=True)
    with Path(".dvc/tmp/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert ".dvc/tmp/lock is held" in worst(leftovers.check_locks()).found


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_dvcs_locks_of_the_living_are_told_from_those_of_the_dead() -> None:
    path = Path(".dvc/tmp/rwlock")
    path.parent.mkdir(parents=True)
    for pid, verdict in ((os.getpid(), "warn"), (ended_pid(), "ok")):
        path.write_text(json.dumps({"write": {"build/split": {"pid": pid, "cmd": "dvc repro"}}}))
        assert worst(leftovers.check_dvc_lock()).verdict == verdict
    path.write_text('{"write": {"build/spl')
    found = worst(leftovers.check_dvc_lock())
    assert (found.verdict, found.advice) == ("wrong", "run `rm .dvc/tmp/rwlock`")


def test_a_record_that_was_cut_short_is_wrong() -> None:
    assert worst(leftovers.check_record()).verdict == "ok"
    entry = {"path": "build/split", "hash": "md5", "md5": "0" * 32, "size": 1}
    whole = yaml.safe_dump({"schema": "2.0", "stages": {"split": {"cmd": "x", "outs": [entry]}}})
    record = Path("dvc.lock")
    record.write_text(whole)
    assert worst(leftovers.check_record()).found == "dvc.lock has 1 stages"
    for end in (0, whole.index("2.0"), whole.index("outs"), whole.index("path: ")):
        record.write_text(whole[:end])
        assert "rm dvc.lock" in worst(leftovers.check_record()).advice


def test_half_written_files_of_dead_processes_are_found() -> None:
    folder = layout.STATE / "features"
    folder.mkdir(parents=True)
    (folder / f".a.safetensors.{os.getpid()}.tmp").touch()
    assert worst(leftovers.check_halves()).verdict == "ok"
    (folder / f".b.safetensors.{ended_pid()}.tmp").touch()
    assert ".b.safetensors" in worst(leftovers.check_halves()).found


def test_an_object_of_the_cache_with_a_bit_flipped_is_wrong() -> None:
    """Against DVC's own objects, a folder's list among them."""
    dvc("init", "--no-scm", "--quiet")
    Path("data").mkdir()
    Path("data/rows.jsonl").write_text("{}\n")
    dvc("add", "--quiet", "data")
    assert worst(leftovers.check_cache()).found == "2 objects, all undamaged"
    path = next(p for p in Path(".dvc/cache/files/md5").rglob("*") if p.is_file())
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")
    found = worst(leftovers.check_cache())
    assert found.verdict == "wrong"
    assert str(path) in found.advice


def test_keys_are_a_pair_and_their_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = Keys(tmp_path), Keys(tmp_path, "other")
    ours.private.chmod(0o600)
    monkeypatch.setenv("CHARTER_PUBLIC_KEY", str(ours.public))
    assert "names no key" in worst(keys.check_keys()).found
    monkeypatch.setenv("CHARTER_SIGNING_KEY", str(ours.private))
    assert worst(keys.check_keys()).verdict == "ok"
    ours.private.chmod(0o644)
    assert worst(keys.check_keys()).advice == f"run `chmod 600 {ours.private}`"
    monkeypatch.setenv("CHARTER_PUBLIC_KEY", str(other.public))
    assert "is not the public key of" in worst(keys.check_keys()).found
    ours.private.write_text("no key")
    assert worst(keys.check_keys()).verdict == "wrong"
    ours.private.unlink()
    assert "not found" in worst(keys.check_keys()).found
    monkeypatch.delenv("CHARTER_SIGNING_KEY")
    monkeypatch.delenv("CHARTER_PUBLIC_KEY")
    assert worst(keys.check_keys()).verdict == "ok"
    policy = yaml.safe_load(Path("policy.yaml").read_text())
    Path("policy.yaml").write_text(yaml.safe_dump({**policy, "require_signature": True}))
    assert worst(keys.check_keys()).verdict == "wrong"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("secret_access_key = abc", "secret_access_key"),
        ("url = ssh://me:secret@host/store", "url"),
        ("password = abc", "password"),
    ],
)
def test_a_secret_in_the_config_that_git_keeps_is_wrong(line: str, named: str) -> None:
    config = Path(".dvc/config")
    config.parent.mkdir()
    config.write_text("['remote \"store\"']\n    url = ssh://me@host:22/store\n")
    assert worst(keys.check_secrets()).verdict == "ok"
    config.write_text(f"['remote \"store\"']\n    {line}\n")
    found = worst(keys.check_secrets())
    assert found.found.endswith(f'remote "store": {named}')
    assert "abc" not in found.found
    assert "secret@" not in found.found


@contextlib.contextmanager
def listening(answer: Callable[[], int] | None) -> Iterator[int]:
    """Listen on loopback: with a status for every request, or saying nothing at all."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert answer is not None
            self.send_response(answer())
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    if answer is None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            yield silent.getsockname()[1]
        return
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_mlflow_is_reached_or_said_not_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    found = worst(servers.check_mlflow())
    assert found.verdict == "ok"
    assert found.found.endswith("no champion yet")
    for scheme in ("http", "postgresql"):
        uri = f"{scheme}://me:secret@127.0.0.1:{closed_port()}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        found = worst(servers.check_mlflow())
        assert (found.verdict, "secret" in found.found) == ("wrong", False)
        assert "cannot be reached" in found.found
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///none.db")
    assert "not there yet" in worst(servers.check_mlflow()).found


def test_mlflow_that_refuses_or_says_nothing_is_wrong_in_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "_IMPATIENT", servers._IMPATIENT | {"x": "y"})
    for name in servers._IMPATIENT:
        monkeypatch.setenv(name, servers._IMPATIENT[name])
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    for answer in (lambda: 401, None):
        with listening(answer) as port:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
            start = time.monotonic()
            assert worst(servers.check_mlflow()).verdict == "wrong"
            assert time.monotonic() - start < 20


def test_prefect_is_reached_or_said_not_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(lambda: 200) as port:
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{port}/api")
        assert worst(servers.check_prefect()).verdict == "ok"
    with listening(lambda: 503) as port:
        monkeypatch.setenv("PREFECT_API_URL", f"http://me:secret@127.0.0.1:{port}/api")
        found = worst(servers.check_prefect())
        assert (found.verdict, "secret" in found.found) == ("wrong", False)
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{closed_port()}/api")
    assert worst(servers.check_prefect()).verdict == "wrong"


def test_a_remote_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    dvc("init", "--no-scm", "--quiet")
    assert worst(servers.check_remote()).verdict == "ok"
    Path("data").mkdir()
    Path("data/rows.jsonl").write_text("{}\n")
    dvc("add", "--quiet", "data")
    dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    assert worst(servers.check_remote()).verdict == "ok"
    dvc("remote", "modify", "store", "url", f"http://127.0.0.1:{closed_port()}/store")
    assert worst(servers.check_remote()).verdict == "wrong"


def test_what_a_remote_refuses_is_said_and_not_where_dvc_has_its_support(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An S3 server without the bucket, then a client without keys."""
    dvc("init", "--no-scm", "--quiet")
    Path("data").mkdir()
    Path("data/rows.jsonl").write_text("{}\n")
    dvc("add", "--quiet", "data")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with local_servers.s3("there", monkeypatch) as url:
        dvc("remote", "add", "--default", "store", "s3://there/charter")
        dvc("remote", "modify", "store", "endpointurl", url)
        assert worst(servers.check_remote()).verdict == "ok"
        dvc("remote", "modify", "store", "url", "s3://nobody/charter")
        found = worst(servers.check_remote())
        assert found.verdict == "wrong"
        assert "The specified bucket does not exist" in found.found
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        found = worst(servers.check_remote())
        assert found.verdict == "wrong"
        assert "Unable to locate credentials" in found.found


def test_the_table_has_a_line_a_finding_and_the_exit_code_is_2_where_one_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, odd = Finding.ok("disk", "9 GB free"), Finding.warn("git", "changes", "commit them")
    bad = Finding.wrong("mlflow", "gone", "start it")
    for findings, code in (([good, odd], 0), ([good, bad], 2)):
        monkeypatch.setattr(doctor, "CHECKS", (lambda given=findings: given,))
        assert main(["doctor"]) == code
    said = capsys.readouterr().out
    assert "ok     disk" in said
    assert "WRONG  mlflow  gone\n" in said
    assert "-> start it" in said
    assert "2 findings: 1 wrong, 0 to look at" in said


def test_every_check_that_is_written_is_run() -> None:
    modules = (environment, keys, leftovers, recorded, servers)
    written = {f for m in modules for name, f in vars(m).items() if name.startswith("check_")}
    assert written == set(doctor.CHECKS)
    assert tracking.connect()
