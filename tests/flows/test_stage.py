"""A stage as a task: what it is retried for, what it says, what it leaves running."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.testing.utilities import prefect_test_harness

from flows import server, stage
from pipeline import files
from pipeline.errors import InputError

WRITE = "import os; os.makedirs('build/split'); open('build/split/report.json', 'w').write('{}')"
REPORT = f'python -c "{WRITE}"'


@pytest.fixture(scope="module", autouse=True)
def prefect() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield
        server.flush_clients()  # the harness would wait for ever


@pytest.fixture(autouse=True)
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    return tmp_path


def run(command: str, **options: object) -> State[object]:
    """Run one stage, whose command this is, in a flow of its own."""
    stages = {"split": {"cmd": command, "outs": ["build/split"]}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    task = stage.run_stage.with_options(retry_delay_seconds=0, **options)

    states: list[State[object]] = []

    @flow
    def one() -> None:
        with stage.dvc_for(None) as dvc:
            states.append(task("split", dvc, return_state=True))

    one()
    return states[0]


def test_a_stage_is_told_who_does_its_shards_and_on_what_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads, unless the person who starts the flow has said something else, or nobody."""
    told = f"echo $CHARTER_SHARDS $PREFECT_API_URL > told; {REPORT}"
    run(told)
    assert Path("told").read_text().startswith(f"{sys.executable} -m flows.shards http://127.0.")
    monkeypatch.setenv("CHARTER_SHARDS", "")
    run(f"{told} ")
    assert Path("told").read_text().startswith("http://")


def attempts() -> int:
    return Path("attempts").read_text().count("x")


def test_a_stage_that_ran_is_cached_the_second_time() -> None:
    assert run(REPORT).is_completed()
    again = run(REPORT)
    assert again.is_completed()
    assert again.name == "Cached"


def test_bad_input_is_not_retried_and_its_message_is_kept() -> None:
    state = run("echo x >> attempts; echo 'rows.jsonl:7: no text'; exit 2")
    with pytest.raises(InputError, match=r"rows\.jsonl:7: no text"):
        state.result()
    assert attempts() == 1


def test_any_other_failure_is_retried() -> None:
    flaky = f"echo x >> attempts; test $(wc -l < attempts) -ge 3 && {REPORT}"
    assert run(flaky).is_completed()
    assert attempts() == 3


def test_a_stage_that_is_timed_out_leaves_no_process() -> None:
    state = run("echo $$ > pid; sleep 60", timeout_seconds=10, retries=0)
    assert state.is_failed()
    pid = int(Path("pid").read_text())
    until = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """Say whether a process is there and no zombie: its new parent may be slow to reap it."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_progress_of_a_running_stage_is_read_from_its_run_file(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[float, str]] = []

    def update(_: object, percent: float, description: str) -> None:
        shown.append((percent, description))

    monkeypatch.setattr(stage, "create_progress_artifact", lambda *_, **__: "0" * 32)
    monkeypatch.setattr(stage, "update_progress_artifact", update)
    run_file = {"done": 5, "total": 20, "unit": "tokens", "fields": {"loss": 2.5}}
    files.write_json(repo / ".charter/runs/split.json", run_file)
    run(f"sleep 3; {REPORT}")
    assert shown[-1] == (25.0, "5 of 20 tokens: loss 2.5")


def test_stages_run_in_one_process_of_dvc_until_it_is_lost() -> None:
    """A task whose DVC was killed is tried again, with another."""
    tell = "ps -o ppid= -p $$ >> parents; test $(wc -l < parents) = 3 && kill -9 $PPID"
    stages = {
        name: {"cmd": f"{tell}; {REPORT.replace('split', name)}", "outs": [f"build/{name}"]}
        for name in ("split", "audit", "report")
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    task = stage.run_stage.with_options(retry_delay_seconds=0)

    @flow
    def three() -> None:
        with stage.dvc_for(None) as dvc:
            for name in stages:
                task(name, dvc)

    three()
    first, second, third, fourth = map(int, Path("parents").read_text().split())
    assert first == second == third != fourth
    assert not is_running(fourth)


def test_bytes_that_are_no_text_do_not_stop_the_flow() -> None:
    assert run(f"printf 'caf\\351\\n'; {REPORT}").is_completed()


def test_only_the_exit_code_2_is_bad_input() -> None:
    assert run("echo x >> attempts; exit 20").is_failed()
    assert attempts() == 3


def test_a_record_that_dvc_was_killed_in_does_not_stop_the_retry() -> None:
    """DVC writes dvc.lock in place."""
    cut = "echo x >> attempts; test $(wc -l < attempts) = 1 && printf 'stages: {sp' > dvc.lock"
    assert run(f"{cut} && kill -9 $PPID; {REPORT}").is_completed()
    assert attempts() == 2
