"""``python -m pipeline doctor``: check what a run needs, and say what to do if it is missing.

Nothing is changed, and only servers that the user has configured are contacted.
"""

from collections.abc import Callable, Iterable

from pipeline.doctor import environment, keys, leftovers, recorded, servers
from pipeline.doctor.finding import Finding

CHECKS: tuple[Callable[[], Iterable[Finding]], ...] = (
    environment.check_python,
    environment.check_packages,
    environment.check_disk,
    environment.check_memory,
    environment.check_gpu,
    environment.check_telemetry,
    recorded.check_files,
    recorded.check_git,
    recorded.check_dvc,
    recorded.check_decisions,
    leftovers.check_locks,
    leftovers.check_dvc_lock,
    leftovers.check_record,
    leftovers.check_halves,
    leftovers.check_cache,
    keys.check_keys,
    keys.check_secrets,
    servers.check_mlflow,
    servers.check_prefect,
    servers.check_remote,
)
_SIGNS = {"ok": "ok   ", "warn": "warn ", "wrong": "WRONG"}


def examine() -> list[Finding]:
    """Make every check, in order."""
    return [finding for check in CHECKS for finding in check()]


def table(findings: list[Finding]) -> str:
    """Return the findings as a table, what to do below each that is not ok, and a last line."""
    width = max(len(finding.check) for finding in findings)
    lines = []
    for each in findings:
        lines.append(f"{_SIGNS[each.verdict]}  {each.check:<{width}}  {each.found}")
        lines += [f"{'':<{width + 9}}-> {each.advice}"] if each.advice else []
    wrong, warned = (sum(each.verdict == v for each in findings) for v in ("wrong", "warn"))
    return "\n".join([*lines, f"{len(findings)} findings: {wrong} wrong, {warned} to look at"])
