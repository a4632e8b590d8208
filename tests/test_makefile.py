"""What `make` commands do besides calling tools."""

import shutil
import subprocess
from pathlib import Path

from pipeline import layout

ROOT = Path(__file__).parents[1]


def test_make_clean_removes_what_can_be_made_again_and_nothing_else(tmp_path: Path) -> None:
    """The log of decisions is append-only: without it no promoted version can be verified."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    state = layout.STATE.name
    kept = [
        f"{state}/decisions.jsonl",
        f"{state}/checkpoints/step-2",
        "data/rows.jsonl",
        "mlflow.db",
    ]
    for name in (*kept, "build/audit/report.json", ".ruff_cache/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}\n")
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"Makefile", *kept}
