"""Scoring as a flow: what the run leaves on Prefect's pages, and how it ends when refused."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import bundle_factory
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import Artifact
from prefect.testing.utilities import prefect_test_harness

from flows import score

ROWS, OUT = "rows.parquet", "scored.parquet"


@pytest.fixture(scope="module", autouse=True)
def prefect() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


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
