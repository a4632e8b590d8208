"""What is recorded here: parameters, policy, git, DVC, the log of decisions."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from pipeline import decisions, layout, params
from pipeline.adapters import tracking
from pipeline.doctor.finding import Finding, why
from pipeline.errors import InputError
from pipeline.policy import rules

_DVC_S = 60.0  # hashing new data may take that long
_DATA_DVC = f"{layout.DATA}.dvc"


def check_files() -> Iterator[Finding]:
    """Parse params.yaml and policy.yaml."""
    for path, load in ((layout.PARAMS, params.load), (layout.POLICY, rules.load)):
        try:
            load(path)
        except InputError as error:
            first = str(error).splitlines()[0].removeprefix(f"{path}: ")
            yield Finding.wrong(str(path), first, f"correct {path}")
        else:
            yield Finding.ok(str(path), "can be read")


def check_git() -> Iterator[Finding]:
    """Say which commit a published version would name."""
    tags = tracking.git_tags()
    if not tags:
        advice = "run in a clone: a version's commit is part of its evidence"
        yield Finding.warn("git", "no commit here", advice)
    elif tags["git_dirty"] == "true":
        found = f"commit {tags['git_commit'][:12]}, with uncommitted changes"
        yield Finding.warn("git", found, "commit them: a version would be tagged git_dirty")
    else:
        yield Finding.ok("git", f"commit {tags['git_commit'][:12]}, no changes")


def check_dvc() -> Iterator[Finding]:
    """Ask DVC whether data/ is as in data.dvc, and every stage as in dvc.lock."""
    try:
        changed = _status()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        yield Finding.wrong("dvc", _reason(error), "run `dvc status` and do as it says")
        return
    if _DATA_DVC in changed:
        yield Finding.wrong(
            "data", f"{layout.DATA}/ is not what {_DATA_DVC} records", _data_advice()
        )
    else:
        yield Finding.ok("data", f"as {_DATA_DVC} records it")
    stale = [name for name in changed if not name.endswith(".dvc")]
    if stale:
        yield Finding.warn("dvc.lock", f"not up to date: {', '.join(stale)}", "run `dvc repro`")
    else:
        yield Finding.ok("dvc.lock", "every stage is up to date")


def _data_advice() -> str:
    if layout.DATA.is_dir():
        return f"run `dvc add {layout.DATA}` to record it, or `dvc checkout {_DATA_DVC}`"
    return f"run `python -m pipeline ingest` or `dvc pull {_DATA_DVC}`"


def _status() -> dict[str, Any]:
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_DVC_S)
    status: dict[str, Any] = json.loads(done.stdout)
    return status


def _reason(error: Exception) -> str:
    """Return what the command said, or the error."""
    return why(str(getattr(error, "stderr", None) or error)) or type(error).__name__


def check_decisions() -> Iterator[Finding]:
    """Check the chain of the log of decisions; `verify` also compares it with the registry."""
    try:
        _, head = decisions.read_whole()
    except InputError as error:
        yield Finding.wrong("decisions", str(error), "restore the log from a copy; see `verify`")
        return
    yield Finding.ok("decisions", f"{head.entries} entries, whole" if head else "none yet")
