"""Shards as Prefect tasks on threads, a local Dask and a local Ray: bytes as without any shard.

A cluster is told the shards of tokenise, of features and one that is killed in one run, for a
cluster takes seconds to start.
"""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import servers
from shard_jobs import shard, starts
from toy_labels import features_params, forget, write_workspace

from pipeline import files, layout, shards
from pipeline.params import CanaryParams, TokeniseParams
from pipeline.stages import features, tokenise
from pipeline.track import Silent

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]
FLOW = [sys.executable, "-m", "flows.shards"]
CANARIES = CanaryParams(secrets=2, digits=4, seed=1)
TOKENISE = TokeniseParams(tokenizer="train", vocab_size=200, lowercase=True, canaries=CANARIES)
KEEP = "import sys; open('told', 'w').write(sys.stdin.read())"
STAGES = ("tokenise", "features")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prefect")
    with servers.prefect(folder) as server:
        server.wait()
        yield server.url


@pytest.fixture
def _workplace(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus of several row groups, labelled rows of several shards, a model, a home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray leaves a token there
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / ".prefect"))
    monkeypatch.setenv("PREFECT_API_URL", api)
    monkeypatch.setenv("PYTHONPATH", f"{TESTS.parent}:{TESTS}")
    monkeypatch.setattr("pipeline.encoder.features._CACHED_TEXTS", 25)
    write_workspace(count=30)
    train = ["the cat sat on the mat", "a dog ran", "the code of the red box is 0 1 2 3"] * 5
    for part, texts, rows in (("train", train, 4), ("heldout", ["zyzzyva the cat", "a mat"], 9)):
        table = pa.table({"id": [f"{i:016x}" for i in range(len(texts))], "text": texts})
        path = layout.stage_dir("split") / f"corpus_{part}.parquet"
        pq.write_table(table, path, row_group_size=rows)


def make() -> tuple[Any, ...]:
    """Run both stages; return their reports and their files' digests."""
    made = tokenise.run(TOKENISE, Silent()), features.run(features_params(), Silent())
    return *made, *(files.sha256_tree(layout.stage_dir(stage)) for stage in STAGES)


@pytest.fixture
def unsharded(_workplace: None, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """What both stages make where nobody does their shards but they."""
    monkeypatch.delenv(shards.COMMAND, raising=False)
    forget(*STAGES)
    made = make()
    forget(*STAGES)
    return made


@pytest.fixture
def asked(unsharded: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What both stages tell a command, of which they then make nothing."""
    told: list[Any] = []
    for run in (
        lambda: tokenise.run(TOKENISE, Silent()),
        lambda: features.run(features_params(), Silent()),
    ):
        monkeypatch.setenv(shards.COMMAND, shlex.join([sys.executable, "-c", KEEP]))
        with pytest.raises(RuntimeError, match="left 4 of 4 shards undone"):
            run()
        told += json.loads(Path("told").read_text())
    return told


def start(kind: str, told: list[Any]) -> "subprocess.Popen[str]":
    Path("asked").write_text(json.dumps(told))
    with Path("asked").open() as stream:
        return subprocess.Popen([*FLOW, kind], stdin=stream, stderr=subprocess.PIPE, text=True)


def test_what_was_done_before_a_kill_is_kept_and_the_rest_is_done_on_threads(
    asked: list[Any], unsharded: tuple[Any, ...], api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads hold a shard each when the flow is killed; a shard that refuses is last."""
    Path("hold").touch()
    first = [tell("a"), tell("b", "held"), tell("c", "held"), tell("d")]
    killed = start("threads", first)
    until = time.monotonic() + 120
    while sorted(starts(Path("ran"))) != ["a", "b", "c"] and time.monotonic() < until:
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    assert Path("a").is_file()
    Path("hold").unlink()
    again = start("threads", [*first, *asked, tell("e", "refused")])
    assert "e: refused" in again.communicate()[1].splitlines()
    assert again.returncode == 2
    assert sorted(starts(Path("ran"))) == ["a", "b", "b", "c", "c", "d", "e"]
    monkeypatch.setenv(shards.COMMAND, "false")
    assert make() == unsharded
    while not {"train 1 of 4", "train 4 of 4", "d"} <= named(api):  # the server is told by and by
        assert time.monotonic() < until
        time.sleep(0.5)


def named(api: str) -> set[str]:
    return {run["name"] for run in httpx.post(f"{api}/task_runs/filter", json={}).json()}


@pytest.mark.parametrize("kind", ["dask", pytest.param("ray", marks=pytest.mark.long)])
def test_a_local_cluster_makes_equal_bytes_and_does_a_killed_shard_alone_again(
    kind: str, asked: list[Any], unsharded: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process of one shard is killed; what its machine had done is not done again."""
    told = [tell("a"), tell("b"), *asked, tell("c", "killed once"), tell("d")]
    process = start(kind, told)
    printed = process.communicate()[1]
    assert process.returncode == 0, printed[-4000:]
    assert sorted(starts(Path("ran"))) == ["a", "b", "c", "c", "d"]
    monkeypatch.setenv(shards.COMMAND, "false")
    assert make() == unsharded


def tell(name: str, how: str = "") -> dict[str, Any]:
    made = shard(Path.cwd(), name, how)
    return {**asdict(made), "done": str(made.done)}
