"""Shards by a command, against the same done here: what is told, what is done again, what fails."""

import sys
from pathlib import Path

import pytest
from shard_jobs import shard, starts

from pipeline import shards
from pipeline.errors import InputError

TESTS = Path(__file__).parent
READ = "import sys; from pipeline import shards; found = shards.read(sys.stdin); "
ALL = READ + "[shards.do(each) for each in found]"


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{TESTS.parent}:{TESTS}")


def send_to(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(shards.COMMAND, f"'{sys.executable}' -c '{code}'")


@pytest.mark.parametrize("sent", [True, False])
def test_a_finished_shard_is_not_run_again(
    sent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(shards.COMMAND, raising=False)
    if sent:
        send_to(ALL, monkeypatch)
    asked = [shard(tmp_path, name) for name in ("a", "b", "c")]
    (tmp_path / "b").write_text("earlier")
    told: list[int] = []
    shards.run(asked, told.append)
    assert starts(tmp_path / "ran") == ["a", "c"]
    assert (tmp_path / "b").read_text() == "earlier"
    assert told[-1] == 3
    send_to("import sys; sys.exit(2)", monkeypatch)
    shards.run(asked, told.append)  # no command is started
    shards.do(asked[0])  # as a cluster asks that has lost what it was told
    assert starts(tmp_path / "ran") == ["a", "c"]


def test_a_shard_alone_is_done_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send_to("import sys; sys.exit(9)", monkeypatch)
    shards.run([shard(tmp_path, "a")], lambda _: None)
    assert starts(tmp_path / "ran") == ["a"]


def test_a_command_that_leaves_shards_undone_is_an_error_that_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_to(f"{READ} shards.do(found[0])", monkeypatch)
    asked = [shard(tmp_path, name) for name in ("a", "b", "c")]
    with pytest.raises(RuntimeError, match=r"exited with 0 and left 2 of 3 shards undone, b first"):
        shards.run(asked, lambda _: None)


@pytest.mark.parametrize(
    ("code", "error"), [("import sys; sys.exit(2)", InputError), ("1 / 0", RuntimeError)]
)
def test_refused_input_is_told_from_what_a_retry_may_mend(
    code: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More shards than a pipe holds: a command that does not read them must not stop the stage."""
    send_to(code, monkeypatch)
    with pytest.raises(error):
        shards.run([shard(tmp_path, f"{i}") for i in range(2000)], lambda _: None)
