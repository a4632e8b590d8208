"""``python -m pipeline STAGE``: run one stage of dvc.yaml; also ingest, publish, verify, score, ...

Exit codes: 0 done (`publish`: promoted; `verify`: unchanged); 2 bad input, or `verify` found a
change; 3 refused by the gate, or the champion's alias was taken back.
"""

import argparse
import errno
import importlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline import layout, lifeline, params, processes, reports, telemetry
from pipeline.errors import InputError
from pipeline.track import Silent

STAGES = tuple(reports.STAGE_REPORTS)
REFUSED_CODE = 3  # registered but not promoted, or no longer champion
_WAIVER_HELP = {
    "author": "who made the commit; found in git if left out",
    "approver": "who signs: a name of policy.yaml's approvers, with CHARTER_SIGNING_KEY",
    "reason": "why the rule need not hold",
    "compensating-measure": "what is done instead",
    "expires": "the last day on which it is valid, such as 2027-01-31",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a person's mistake is one line on stderr and exit code 2."""
    telemetry.switch_off()
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int | None] = parsed.run
    try:
        return command(parsed) or 0
    except InputError as error:
        print(processes.label() + str(error), file=sys.stderr)
        return 2
    except Exception as error:
        number = _system_error(error)
        if number not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        place = getattr(error, "filename", None) or layout.BUILD
        print(f"{place}: {os.strerror(number)}; free some space and run again", file=sys.stderr)
        return 2


def _system_error(error: Exception) -> int | None:
    """Return the number of the system's error; Rust code, as safetensors, has it in its message."""
    if isinstance(error, OSError):
        return error.errno
    named = re.search(r"\(os error (\d+)\)", str(error))
    return int(named[1]) if named else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for stage in STAGES:
        command = commands.add_parser(stage, help=f"the stage {stage} of dvc.yaml")
        command.set_defaults(run=_run_stage, stage=stage)
        if stage == "pretrain":
            command.add_argument(
                "--estimate",
                dest="run",
                action="store_const",
                const=_estimate,
                help="estimate from 20 seconds how long it will take; nothing is kept",
            )
    ingest = commands.add_parser("ingest", help="make data/ from the source in params.yaml")
    ingest.set_defaults(run=_ingest)
    publish = commands.add_parser(
        "publish",
        help=f"register the bundle; promote it if the gate passes, else exit {REFUSED_CODE}",
    )
    publish.set_defaults(run=_publish)
    rollback = commands.add_parser("rollback", help="make the previous champion champion again")
    rollback.add_argument("version", nargs="?", help="take back this one, if it is champion")
    rollback.set_defaults(run=_rollback)
    _add_decisions(commands)
    _add_checks(commands)
    return parser


def _add_decisions(commands: Any) -> None:
    for answer, help_text in (
        ("approve", "say that a version may be champion, and promote it"),
        ("reject", "say that a version may not be champion"),
    ):
        command = commands.add_parser(answer, help=help_text)
        command.add_argument("version", help="its number in the registry")
        command.add_argument("--approver", required=True, help=_WAIVER_HELP["approver"])
        command.add_argument("--reason", required=True, help="why")
        command.set_defaults(run=_answer, answer=answer)
    promote = commands.add_parser(
        "promote", help="make champion a version that the gate has passed"
    )
    promote.add_argument("version", help="its number in the registry")
    promote.set_defaults(run=_promote)
    compare = commands.add_parser(
        "compare", help="compare a version with the champion on fresh labelled rows"
    )
    compare.add_argument("rows", type=Path, help="a file or folder with text and label")
    compare.add_argument("--version", help="its number; the challenger, if left out")
    compare.set_defaults(run=_compare)


def _add_checks(commands: Any) -> None:
    verify = commands.add_parser(
        "verify",
        help="check a bundle or version; take the alias back where a waiver has expired",
    )
    verify.add_argument("target", help="models:/NAME@champion, models:/NAME/3, or a folder")
    verify.add_argument(
        "--without-log", action="store_true", help="on a host that has no log of decisions"
    )
    verify.set_defaults(run=_verify)
    score = commands.add_parser("score", help="label every row of a Parquet file by a bundle")
    score.add_argument("target", help="models:/NAME@champion, models:/NAME/3, or a folder")
    score.add_argument("rows", type=Path, help="Parquet with a column text")
    score.add_argument("scored", type=Path, help="Parquet to write: the rows with their labels")
    score.set_defaults(run=_score)
    waive = commands.add_parser("waive", help="sign a waiver of a rule for build/bundle")
    waive.add_argument("rule", help="id of a rule of policy.yaml that is waivable")
    for name in ("author", "approver", "reason", "compensating-measure", "expires"):
        required = name != "author"
        waive.add_argument(f"--{name}", required=required, default="", help=_WAIVER_HELP[name])
    waive.set_defaults(run=_waive)
    doctor = commands.add_parser(
        "doctor", help="check what a run needs; exit 2 if anything is missing"
    )
    doctor.set_defaults(run=_doctor)
    schema = commands.add_parser("schema", help="print the JSON Schema of policy.yaml")
    schema.set_defaults(run=_schema)


def _run_stage(parsed: argparse.Namespace) -> int | None:
    from pipeline.adapters import runs

    lifeline.end_with_dvc()
    stage: str = parsed.stage
    section = params.load().section(stage)
    if getattr(section, "processes", 1) > 1 and not processes.started():
        return _start(section.processes, stage)  # type: ignore[attr-defined]
    if processes.rank():
        importlib.import_module(f"pipeline.stages.{stage}").run(section, Silent())
        return None
    with runs.stage_run(stage, section) as track:  # its recorder starts while torch is imported
        # DVC removed it too, but not under this lock.
        shutil.rmtree(layout.stage_dir(stage), ignore_errors=True)
        report = importlib.import_module(f"pipeline.stages.{stage}").run(section, track)
        reports.write(stage, report)
        track.artifact(layout.report_path(stage))
    for line in reports.remarks(report):
        print(f"{stage}: {line}")
    return None


def _start(count: int, *arguments: str) -> int:
    """Run a command in new processes; they import this module by its name, not as ``__main__``."""
    return processes.start(count, importlib.import_module("pipeline.__main__").main, arguments)


def _estimate(_: argparse.Namespace) -> int | None:
    from pipeline.stages import pretrain

    section = params.load().pretrain
    if section.processes > 1 and not processes.started():
        return _start(section.processes, "pretrain", "--estimate")
    said = pretrain.estimate(section)
    if processes.rank() == 0:
        print(said)
    return None


def _ingest(_: argparse.Namespace) -> None:
    from pipeline import ingest

    ingest.run(params.load().ingest, print)


def _publish(_: argparse.Namespace) -> int:
    from pipeline import publish

    publication = publish.publish(params.load().bundle)
    print(publication.summary())
    return 0 if publication.promoted else REFUSED_CODE


def _rollback(parsed: argparse.Namespace) -> None:
    from pipeline import champion

    print(champion.rollback(params.load().bundle, parsed.version))


def _answer(parsed: argparse.Namespace) -> int:
    from pipeline import approve

    bundle = params.load().bundle
    print(approve.answer(bundle, parsed.version, parsed.approver, parsed.answer, parsed.reason))
    return _promote(parsed) if parsed.answer == "approve" else 0


def _promote(parsed: argparse.Namespace) -> int:
    from pipeline import promote

    promotion = promote.promote(params.load().bundle, parsed.version)
    print(promotion.summary())
    return REFUSED_CODE if promotion.outcome == "refused" else 0


def _compare(parsed: argparse.Namespace) -> None:
    from pipeline import compare

    print(compare.compare(params.load().bundle, parsed.rows, parsed.version).summary())


def _verify(parsed: argparse.Namespace) -> int:
    from pipeline import verify

    verification = verify.verify(parsed.target, with_log=not parsed.without_log)
    print(verification.summary())
    return REFUSED_CODE if verification.withdrawn else 0


def _score(parsed: argparse.Namespace) -> None:
    from pipeline import score
    from pipeline.adapters.terminal import Display

    max_chars = params.load().validate_.max_chars
    with Display("score") as display:
        scoring = score.score(
            parsed.target,
            parsed.rows,
            parsed.scored,
            max_chars,
            lambda done, total: display.update(done, total, "rows", {}),
        )
    print(scoring.summary())


def _waive(parsed: argparse.Namespace) -> None:
    from pipeline import waive

    print(waive.waive(**{name: getattr(parsed, name) for name in waive.FIELDS}))


def _doctor(_: argparse.Namespace) -> int:
    from pipeline import doctor

    findings = doctor.examine()
    print(doctor.table(findings))
    return 2 if any(finding.verdict == "wrong" for finding in findings) else 0


def _schema(_: argparse.Namespace) -> None:
    from pipeline.policy import rules

    print(json.dumps(rules.schema(), indent=2, sort_keys=True))


if __name__ == "__main__":
    lifeline.leave(main())
