"""Reports as Markdown for Prefect's pages."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import files, layout
from pipeline.adapters.runs import AS_TRAINING
from pipeline.stages.page.card import escape

_MAX_ITEMS = 40  # of a list or mapping; the report itself has all


def stage_report(name: str) -> str:
    """Return a stage's report: its MLflow run, its pictures, a table of its figures."""
    report = files.read_json(layout.report_path(name))
    rows = "\n".join(f"| {escape(key)} | {value} |" for key, value in _flatten(report))
    return f"{_run_line(name)}\n\n{_pictures(name)}| {name} | |\n|---|---|\n{rows}\n"


def progress(run: dict[str, Any]) -> str:
    """Return one line on how far a running stage is, from .charter/runs/STAGE.json."""
    figures = ", ".join(f"{key} {value:,.4g}" for key, value in run.get("fields", {}).items())
    done = f"{run['done']:,} of {run['total']:,} {run['unit']}"
    return f"{done}: {figures}" if figures else done


def read_run(name: str) -> dict[str, Any]:
    """Return .charter/runs/STAGE.json, about the stage's last run; {} where there is none."""
    path = layout.run_path(name)
    run: dict[str, Any] = files.read_json(path) if path.is_file() else {}
    return run


def _run_line(name: str) -> str:
    run = read_run(name)
    if not run.get("mlflow_run_id"):
        return f"Report: `{layout.report_path(name)}`"
    page = f"#/experiments/{run['mlflow_experiment_id']}/runs/{run['mlflow_run_id']}"
    server = str(run["tracking_uri"])
    base = server if server.startswith("http") else "http://127.0.0.1:5000"
    where = "" if server.startswith("http") else " (after `make ui`)"
    return f"[MLflow run]({base}/{page}{AS_TRAINING}){where} in {run.get('seconds', 0):,.0f} s"


def _pictures(name: str) -> str:
    """Return the stage's plots, embedded in the text so that the page needs no other file."""
    return "".join(
        f"![{path.stem}](data:image/svg+xml;base64,{_base64(path)})\n\n"
        for path in sorted((layout.stage_dir(name) / "plots").glob("*.svg"))
    )


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value's dotted key and its text; an estimate is one cell."""
    if isinstance(value, dict) and {"point", "low", "high", "n"} <= value.keys():
        yield prefix, _estimate(value)
    elif isinstance(value, dict):
        for key, item in list(value.items())[:_MAX_ITEMS]:
            yield from _flatten(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield prefix, f"{len(value)} entries, in the report"
    else:
        yield prefix, _cell(value)


def _estimate(estimate: dict[str, Any]) -> str:
    if estimate["point"] is None:
        return f"undefined: {_cell(estimate['note'])}"
    bounds = "" if estimate["low"] is None else f" [{estimate['low']:.4g}, {estimate['high']:.4g}]"
    return f"{estimate['point']:.4g}{bounds}, n = {estimate['n']:,}"


def _cell(value: Any) -> str:
    text = f"{value:,.4g}" if isinstance(value, float) else str(value)
    return escape(text[:200])
