"""The directions that pyproject.toml draws, and that one name runs through a stage's places."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import params, reports

ROOT = Path(__file__).parents[1]
GRAPH: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def test_imports_go_in_the_directions_drawn() -> None:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


def test_stage_file_section_and_report_share_one_name() -> None:
    stages = list(GRAPH)
    files = {path.stem for path in (ROOT / "pipeline" / "stages").glob("[!_]*.py")}
    sections = {field.alias or name for name, field in params.Params.model_fields.items()}
    assert set(stages) == files
    assert set(stages) == sections - {"size", "ingest", "drift"}
    assert stages == list(reports.STAGE_REPORTS)


@pytest.mark.parametrize("stage", list(GRAPH))
def test_a_stage_is_run_again_when_its_code_or_section_changes(stage: str) -> None:
    entry = GRAPH[stage]
    assert entry["cmd"] == f"python -m pipeline {stage}"
    assert entry["outs"] == [f"build/{stage}"]
    assert stage in entry["params"]
    assert f"pipeline/stages/{stage}.py" in entry["deps"]
    assert "requirements.lock" in entry["deps"]
    presets = yaml.safe_load((ROOT / "params.yaml").read_text())["sizes"]
    for size in presets:
        assert (f"sizes.{size}.{stage}" in entry["params"]) == (stage in presets[size])


@pytest.mark.parametrize("stage", list(GRAPH))
def test_a_stage_depends_on_every_part_of_the_code_that_it_imports(stage: str) -> None:
    source = (ROOT / f"pipeline/stages/{stage}.py").read_text()
    for part in ("encoder", "measure", "policy", "text"):
        if f"pipeline.{part}" in source or f"pipeline import {part}" in source:
            assert f"pipeline/{part}" in GRAPH[stage]["deps"]


@pytest.mark.parametrize("module", ["pipeline", "pipeline.__main__", "pipeline.reports"])
def test_importing_the_spine_loads_no_heavy_library(module: str) -> None:
    heavy = {"torch", "mlflow", "great_expectations", "transformers", "pandas", "prefect", "dvc"}
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
