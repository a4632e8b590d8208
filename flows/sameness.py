"""What two clones must share for a stage to be the same stage: a commit, and four files' text."""

import subprocess
from pathlib import Path

from pipeline import files, layout
from pipeline.errors import InputError

# These may differ from the commit: what is set for a run, and what a run records.
SENT = tuple(map(str, (layout.PARAMS, layout.POLICY, "data.dvc", "dvc.lock")))


def commit() -> str:
    """Return the commit that this clone is at.

    Raises:
        InputError: outside git, or naming a file that differs from the commit and cannot be sent.
    """
    changed = _git("status", "--porcelain", "--", ".", *(f":(top,exclude){name}" for name in SENT))
    if changed:
        raise InputError(
            f"{changed.splitlines()[0][3:]}: not as committed, and workers have only what is; "
            "commit it, push it, and pull it where the workers are"
        )
    return _git("rev-parse", "HEAD")


def texts() -> dict[str, str]:
    """Return the text of the files that are sent; of those that exist."""
    return {name: Path(name).read_text("utf-8") for name in SENT if Path(name).is_file()}


def write(sent: dict[str, str]) -> None:
    """Write the files that were sent; one that was not sent is removed.

    Raises:
        InputError: where it is another file.
    """
    if foreign := sent.keys() - set(SENT):
        raise InputError(f"{sorted(foreign)[0]}: not a file that is sent to workers")
    for name in SENT:
        if name in sent:
            files.write_text(Path(name), sent[name])
        else:
            Path(name).unlink(missing_ok=True)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"git {arguments[0]}: {done.stderr.strip()}; workers need a git clone")
    return done.stdout.rstrip()
