"""``python -m pipeline STAGE``: run one stage of dvc.yaml; also ingest, publish, rollback."""

import argparse
import errno
import importlib
import sys
from collections.abc import Callable, Sequence

from pipeline import layout, params, reports, telemetry
from pipeline.errors import InputError

STAGES = tuple(reports.STAGE_REPORTS)
REFUSED_CODE = 3  # of `publish`, where the bundle is registered and not promoted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a person's mistake is one line on stderr and exit code 2."""
    telemetry.switch_off()
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int | None] = parsed.run
    try:
        return command(parsed) or 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        print(
            f"{error.filename or layout.BUILD}: {error.strerror}; free space, run again",
            file=sys.stderr,
        )
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for stage in STAGES:
        commands.add_parser(stage, help=f"the stage {stage} of dvc.yaml").set_defaults(
            run=_run_stage, stage=stage
        )
    ingest = commands.add_parser("ingest", help="make data/ from the source in params.yaml")
    ingest.set_defaults(run=_ingest)
    publish = commands.add_parser(
        "publish",
        help=f"register the bundle; promote it if the gate passes, else exit {REFUSED_CODE}",
    )
    publish.set_defaults(run=_publish)
    rollback = commands.add_parser("rollback", help="make the previous champion champion again")
    rollback.set_defaults(run=_rollback)
    return parser


def _run_stage(parsed: argparse.Namespace) -> None:
    from pipeline.adapters import runs

    stage: str = parsed.stage
    section = params.load().section(stage)
    with runs.stage_run(stage, section) as track:  # its recorder starts while torch is imported
        report = importlib.import_module(f"pipeline.stages.{stage}").run(section, track)
        reports.write(stage, report)
        track.artifact(layout.report_path(stage))


def _ingest(_: argparse.Namespace) -> None:
    from pipeline import ingest

    ingest.run(params.load().ingest, print)


def _publish(_: argparse.Namespace) -> int:
    from pipeline import publish

    publication = publish.publish(params.load().bundle)
    print(publication.summary())
    return 0 if publication.promoted else REFUSED_CODE


def _rollback(_: argparse.Namespace) -> None:
    from pipeline import publish

    print(publish.rollback(params.load().bundle))


if __name__ == "__main__":
    sys.exit(main())
