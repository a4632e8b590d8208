"""``python -m flows.score``: label a Parquet file by the champion, with the progress in Prefect."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)

from flows import server
from pipeline import params, score
from pipeline.errors import InputError

_SHOW_EVERY_S = 2.0


@flow(name="score", validate_parameters=True)
def score_rows(rows: Path, scored: Path, model: str = "") -> score.Scoring:
    """Verify the model, then label every row; nothing is written where the model is refused.

    Args:
        rows: Parquet with a column ``text``; other columns are passed through.
        scored: Parquet to write.
        model: models:/NAME@ALIAS, models:/NAME/NUMBER or a bundle's folder; else the champion.
    """
    settings = params.load()
    target = model or f"models:/{settings.bundle.name}@champion"
    shown = _Progress(target)
    scoring = score.score(target, rows, scored, settings.validate_.max_chars, shown.update)
    get_run_logger().info("%s", scoring.summary())
    create_markdown_artifact(
        key="scoring", markdown=_table(scoring), description="What was scored, and by what"
    )
    return scoring


class _Progress:
    """A progress bar on the run's page, updated every few seconds and at the end."""

    def __init__(self, target: str) -> None:
        created = create_progress_artifact(0.0, key="progress-score", description=target)
        self._artifact, self._next = UUID(str(created)), 0.0

    def update(self, done: int, total: int) -> None:
        """Show how many of the rows are done."""
        if time.monotonic() < self._next and done < total:
            return
        self._next = time.monotonic() + _SHOW_EVERY_S
        words = f"{done:,} of {total:,} rows"
        update_progress_artifact(self._artifact, 100.0 * done / max(total, 1), description=words)


def _table(scoring: score.Scoring) -> str:
    version = f"version {scoring.model_version}, " if scoring.model_version else ""
    without = sum(scoring.problems.values())
    cells = {
        "file": f"`{scoring.path}`",
        "model": f"{version}bundle `{scoring.model_digest[:12]}`",
        "rows": f"{scoring.rows:,}",
        "rows with a label": f"{scoring.rows - without:,}",
        **{f"no label: {why}": f"{count:,}" for why, count in scoring.problems.items()},
    }
    lines = [f"| {name} | {cell} |" for name, cell in cells.items()]
    first = [f"- {each}" for each in scoring.first_problems]
    return "\n".join(["| | |", "|---|---|", *lines, "", *first])


def main(arguments: Sequence[str] | None = None) -> int:
    """Score a file as a flow run. 2 means that the model or the file was refused."""
    parser = argparse.ArgumentParser(prog="python -m flows.score", description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("scored", type=Path)
    parser.add_argument("--model", default="", help="the champion, if left out")
    parsed = parser.parse_args(arguments)
    try:
        with server.at_hand() as wait:
            wait()
            scoring = score_rows(parsed.rows, parsed.scored, parsed.model)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(scoring.summary())
    return 0


if __name__ == "__main__":
    sys.exit(main())
