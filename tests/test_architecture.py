"""The directions that pyproject.toml draws, and that one name runs through a stage's places."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import params, reports

ROOT = Path(__file__).parents[1]
GRAPH: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
SPINE = {  # stages import it, and it is no dep of theirs: what it does changes no figure
    "pipeline/errors.py": "refusals",
    "pipeline/files.py": "how files are written, and their digests by standards",
    "pipeline/layout.py": "where files lie",
    "pipeline/params": "which keys there are; the values are DVC's params, and what is not set is "
    "no limit. What it computes of them is in SCALE, a dep of the stages that it is for",
    "pipeline/reports": "which fields there are; the stage that fills them is a dep",
    "pipeline/shards.py": "on which machine a part is computed: its bytes are the same",
    "pipeline/telemetry.py": "what libraries may not send",
    "pipeline/track.py": "what is told while a stage runs",
}
SCALE = "pipeline/params/scale.py"  # learning_rate: auto, batch_sequences: auto


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
def test_a_stage_depends_on_all_the_code_that_it_imports_and_on_no_other(stage: str) -> None:
    """Directly or through others, within functions too; but for the spine."""
    imported = _closure(ROOT / f"pipeline/stages/{stage}.py")
    deps = {dep for dep in GRAPH[stage]["deps"] if dep.startswith("pipeline/")} - {SCALE}
    assert {path for path in imported if not _is_below(path, deps)} == set()
    assert {dep for dep in deps if not any(_is_below(path, {dep}) for path in imported)} == set()
    assert (SCALE in GRAPH[stage]["deps"]) == ("pretrain" in GRAPH[stage]["params"])


def test_what_the_spine_is_said_to_be_is_there() -> None:
    assert [path for path in SPINE if not (ROOT / path).exists()] == []
    assert not any(_is_below(dep, set(SPINE) - {"pipeline/params"}) for dep in _all_deps())


def _all_deps() -> set[str]:
    return {dep for entry in GRAPH.values() for dep in entry["deps"]}


def _closure(start: Path) -> set[str]:
    """Return the files that a file of ours imports, and it, relative to the root; no spine."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        name, tree = path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())
        if name not in found and not _is_below(name, set(SPINE)) and len(tree.body) > 1:
            found.add(name)  # what is a docstring only is a package's name
            waiting += [file for module in _imports(tree) for file in _files(module)]
    return found


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (str(node.module), *(f"{node.module}.{each.name}" for each in node.names))


def _files(module: str) -> list[Path]:
    path = ROOT / module.replace(".", "/")
    return [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]


def _is_below(path: str, tops: set[str]) -> bool:
    return any(path == top or path.startswith(f"{top}/") for top in tops)


@pytest.mark.parametrize("module", ["pipeline", "pipeline.__main__", "pipeline.reports"])
def test_importing_the_spine_loads_no_heavy_library(module: str) -> None:
    heavy = {"torch", "mlflow", "great_expectations", "transformers", "pandas", "prefect", "dvc"}
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
