"""How machines exchange a stage's inputs, outputs and run-cache: through the DVC remote.

The run-cache maps a stage's command, parameters and the hashes of its inputs to its outputs. It is
pushed after the outputs, so the outputs of every entry that is found can be fetched. What is
fetched is hashed: an object that is damaged in the remote counts as missing, and its stage is run
again.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotFoundError
from dvc_data.hashfile.hash import hash_file
from dvc_data.hashfile.tree import Tree

from flows import mend
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


def push(stage: str | None = None, anew: bool = False) -> None:
    """Push a stage's outputs and the run-cache; with no stage, data/ and every output that is here.

    Args:
        stage: A stage of dvc.yaml.
        anew: It was run, so that what the remote has of its outputs all the same may be damaged.

    Raises:
        RemoteError: where the push fails.
    """
    with _reaching() as repo:
        if stage and anew:
            _put(repo, stage)
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
    mend.remove_damaged_lists()
    restored = _restore(stage)
    if restored and mend.remove_damaged(stage):  # in the cache here; the remote may have it whole
        return _restore(stage)
    return restored


def _restore(stage: str) -> bool:
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


def _put(repo: Repo, stage: str) -> None:
    """Put a stage's outputs into the remote where it lacks them or has them damaged.

    DVC's own push does not look: it goes by what it remembers of the remote. The lists of folders
    come last, since what they name counts as being there.
    """
    cache, remote = repo.cache.local, repo.cloud.get_remote_odb(command="push")
    hashes = [out.hash_info for out in repo.stage.load_one(name=stage).outs]
    lists = {each.value for each in hashes if each.isdir}
    trees = [Tree.load(cache, each) for each in hashes if each.isdir]
    files = {file.value for tree in trees for _, _, file in tree}
    files |= {each.value for each in hashes if not each.isdir}
    for oids in (files, lists):
        wanted = [oid for oid in oids if not _is_whole(remote, oid)]
        remote.add([cache.oid_to_path(oid) for oid in wanted], cache.fs, wanted)


def _is_whole(remote: Any, oid: str) -> bool:
    """Return whether a remote has an object undamaged; a damaged one is removed."""
    if not remote.exists(oid):
        return False
    _, found = hash_file(remote.oid_to_path(oid), remote.fs, "md5")
    if found.value == oid.removesuffix(".dir"):
        return True
    remote.delete(oid)
    return False


@contextlib.contextmanager
def _reaching() -> Iterator[Repo]:
    """Open the repository, and turn what DVC raises into a `RemoteError`."""
    try:
        with Repo() as repo:
            # DVC heeds this only where it is given before the repository is opened.
            verifying = {name: {"verify": True} for name in repo.config["remote"]}
        with Repo(config={"remote": verifying}, _wait_for_lock=True) as repo:
            yield repo
    except DvcException as error:
        raise RemoteError(f"DVC remote: {error}; see `dvc remote list`, try `dvc push`") from error
