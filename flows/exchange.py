"""How machines exchange a stage's inputs, outputs and run-cache: through the DVC remote.

The run-cache maps a stage's command, parameters and the hashes of its inputs to its outputs. It is
pushed after the outputs, so the outputs of every entry that is found can be fetched.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotFoundError

from pipeline.errors import InputError


class RemoteError(RuntimeError):
    """A transfer from or to the DVC remote failed; a retry may succeed."""


def check_remote() -> None:
    """Refuse to go on where DVC has no default remote.

    Raises:
        InputError: with the command that adds one.
    """
    with Repo() as repo:
        if not repo.config["core"].get("remote"):
            raise InputError(
                "no DVC remote, through which data and results go between machines; run "
                "`dvc remote add --default NAME URL`, then commit .dvc/config"
            )


def push(stage: str | None = None) -> None:
    """Push a stage's outputs and the run-cache; with no stage, data/ and every output that is here.

    Raises:
        RemoteError: where the push fails.
    """
    with _reaching() as repo:
        repo.push(targets=[stage] if stage else None)
        with repo.lock:
            repo.stage_cache.push(None)


def pull_inputs(stage: str) -> None:
    """Fetch a stage's inputs, as data.dvc and dvc.lock record them, and replace what is there.

    Raises:
        RemoteError: where the fetch fails.
    """
    with _reaching() as repo:
        wanted = [
            str(dep)
            for dep in repo.stage.load_one(name=stage).deps
            if any(out.fs.isin_or_eq(dep.fs_path, out.fs_path) for out in repo.index.outs)
        ]  # the others are code, which git has
        if wanted:
            repo.pull(targets=wanted, force=True)


def restore(stage: str) -> bool:
    """Restore a stage's outputs and its entry in dvc.lock from the run-cache; False if it has none.

    The stage's inputs must be in place. Nothing is run.

    Raises:
        RemoteError: where the remote cannot be read.
    """
    with _reaching() as repo, repo.lock:
        repo.stage_cache.pull(None)
        found = repo.stage.load_one(name=stage)
        found.remove_outs(ignore_remove=False, force=False)
        try:
            repo.stage_cache.restore(found, pull=True)
        except RunCacheNotFoundError:
            return False
        found.save()
        found.commit()
        found.dump(update_pipeline=False)
        return True


@contextmanager
def _reaching() -> Iterator[Repo]:
    """Open the repository, and turn what DVC raises into a `RemoteError`."""
    try:
        with Repo(_wait_for_lock=True) as repo:
            yield repo
    except DvcException as error:
        raise RemoteError(f"DVC remote: {error}; see `dvc remote list`, try `dvc push`") from error
