"""Processes that are started together: one end for all, however it comes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import rank_jobs

from pipeline import processes

ROOT = Path(__file__).parents[1]


def _pids(folder: Path, count: int) -> list[int]:
    """Return the processes' ids once so many have begun."""
    deadline = time.monotonic() + 60
    while len(found := list(folder.iterdir())) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [int(path.name.split("-")[1]) for path in found]


def test_the_exit_code_of_a_process_is_that_of_the_whole() -> None:
    assert processes.start(2, rank_jobs.refuse) == 2


def test_a_killed_process_ends_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "_GRACE_S", 1.0)
    assert processes.start(2, rank_jobs.lose_the_second, str(tmp_path)) == 1
    assert "rank 1" in capsys.readouterr().err
    assert not [pid for pid in _pids(tmp_path, 0) if psutil.pid_exists(pid)]


@pytest.mark.parametrize("ignored", ["", "trap '' INT; "], ids=["shell", "nohup"])
def test_all_end_with_the_process_that_started_them_though_it_is_killed(
    tmp_path: Path, ignored: str
) -> None:
    """Else they would go on writing beside the run that comes after."""
    job = [sys.executable, str(ROOT / "tests" / "rank_jobs.py"), str(tmp_path)]
    starter = subprocess.Popen(
        ["sh", "-c", f'{ignored}exec "$0" "$@"', *job],
        env={"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    ranks = [psutil.Process(pid) for pid in _pids(tmp_path, 2)]
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    _, alive = psutil.wait_procs(ranks, timeout=30)
    assert not alive


def test_outside_of_a_group_a_process_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (processes.rank(), processes.label(), processes.started()) == (0, "", False)
    monkeypatch.setenv("RANK", "3")  # of some other tool's
    assert processes.rank() == 0
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert (processes.rank(), processes.label(), processes.started()) == (3, "rank 3: ", True)
