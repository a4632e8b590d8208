"""Scoring and comparing as flows: what a run leaves on Prefect's pages, how it ends if refused."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import bundle_factory
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import Artifact
from prefect.testing.utilities import prefect_test_harness

from flows import champion, score, server
from pipeline import decisions, publish
from pipeline.errors import InputError
from pipeline.params import BundleParams

ROWS, OUT = "rows.parquet", "scored.parquet"


@pytest.fixture(scope="module", autouse=True)
def prefect() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield
        server.flush_clients()  # the harness would wait for ever


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle_factory.build(tmp_path.name)
    pq.write_table(pa.table({"text": ["good film", None, "bad"]}), ROWS)


async def _artifacts() -> list[Artifact]:
    async with get_client() as client:
        return await client.read_artifacts()


def test_a_run_shows_its_progress_and_what_became_of_the_rows() -> None:
    assert score.main([ROWS, OUT, "--model", "build/bundle"]) == 0
    assert pq.read_table(OUT)["label"].null_count == 1
    shown = {each.key: each for each in asyncio.run(_artifacts())}
    assert shown["progress-score"].data == 100.0
    assert shown["progress-score"].description == "3 of 3 rows"
    table = str(shown["scoring"].data)
    assert "| rows | 3 |" in table
    assert "| no label: the text is null | 1 |" in table
    assert "- row 2: the text is null" in table


def test_a_refused_model_ends_the_run_as_failed_with_nothing_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (Path("build/bundle") / "more.py").write_text("")
    assert score.main([ROWS, OUT, "--model", "build/bundle"]) == 2
    assert "more.py: is not in digests.json" in capsys.readouterr().err
    assert not Path(OUT).exists()


@pytest.fixture
def name(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The registry's name of a model whose version 1 is champion and 2, refused, the challenger."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    outcomes = []
    for changes in ({}, {"seed": 3, "encoder_digest_after": "0" * 64}):
        bundle_factory.build(tmp_path.name, **changes)
        config = Path("params.yaml").read_text()
        Path("params.yaml").write_text(config.replace("charter-sentiment", tmp_path.name))
        outcomes.append(publish.publish(BundleParams(name=tmp_path.name)).outcome)
    assert outcomes == ["promoted", "refused"]
    return tmp_path.name


def test_a_comparison_is_shown_as_the_command_says_it_and_is_in_the_log(name: str) -> None:
    """Rows that have no label end it by the file's name, with no entry."""
    before = len(decisions.read())
    Path("unlabelled.jsonl").write_text(json.dumps({"text": "good film"}))
    with pytest.raises(InputError, match=r"unlabelled\.jsonl"):
        champion.compare(Path("unlabelled.jsonl"))
    lines = [json.dumps({"text": f"good film {n}", "label": n % 2}) for n in range(30)]
    Path("fresh.jsonl").write_text("\n".join(lines))
    said = champion.compare(Path("fresh.jsonl"))
    assert "difference    " in said
    shown = {each.key: each for each in asyncio.run(_artifacts())}
    assert shown["comparison"].data == f"```\n{said}\n```"
    (line,) = decisions.read()[before:]
    entry = json.loads(line)
    assert entry["action"] == "compare"
    assert (entry["comparison"]["challenger"], entry["comparison"]["champion"]) == ("2", "1")
    assert name in line
