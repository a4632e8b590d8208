"""Earlier data: the labelled rows of a given hash of data/, from DVC's cache or remote."""

from collections.abc import Iterator
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError

from pipeline import layout
from pipeline.errors import InputError

_LABELLED = layout.LABELLED.relative_to(layout.DATA).parts


def link_labelled(data_md5: str, folder: Path) -> None:
    """Fill ``folder`` with links to data/labelled as it was when data.dvc recorded this hash.

    Files that are not in DVC's cache are fetched from its remote; the rest of data/ is not.

    Raises:
        InputError: where the data is in neither, or had no data/labelled.
    """
    with Repo() as repo:
        files = dict(_find(_load(repo, data_md5)))
        if not files:
            raise InputError(f"data {data_md5[:12]} had no {layout.LABELLED}")
        repo.cloud.pull(files.values()) if _has_remote(repo) else None
        for name, digest in files.items():
            kept = Path(repo.cache.local.oid_to_path(digest.value))
            if not kept.is_file():
                raise InputError(_gone(data_md5))
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(kept)


def _load(repo: Repo, data_md5: str) -> Tree:
    """Return the list of files, read in place: a copy of it alone would mislead DVC."""
    places = [repo.cache.local]
    try:
        if _has_remote(repo):
            places.append(repo.cloud.get_remote_odb(command="fetch"))
        for place in places:
            if place.exists(data_md5):
                return Tree.load(place, HashInfo("md5", data_md5))
    except (DvcException, ObjectFormatError, OSError) as error:
        raise InputError(f"{_gone(data_md5)} ({error})") from error
    raise InputError(_gone(data_md5))


def _find(tree: Tree) -> Iterator[tuple[str, HashInfo]]:
    depth = len(_LABELLED)
    for parts, _, digest in tree:
        if parts[:depth] == _LABELLED:
            yield "/".join(parts[depth:]), digest


def _has_remote(repo: Repo) -> bool:
    return bool(repo.config["core"].get("remote"))


def _gone(data_md5: str) -> str:
    return f"data {data_md5[:12]} is neither in DVC's cache nor in its remote; `dvc push` keeps it"
