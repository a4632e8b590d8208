"""The graph of stages, read from dvc.yaml through DVC: the order is written down only there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx
from dvc.dvcfile import LOCK_FILE
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage

from flows import mend
from pipeline import layout
from pipeline.errors import InputError


@dataclass(frozen=True)
class Node:
    """A stage of dvc.yaml."""

    name: str
    pool: str  # the workers that its ``meta:`` asks for
    needs: tuple[str, ...]  # the stages whose outputs it reads
    current: bool  # it, and all that it rests on, are as dvc.lock has them


def nodes() -> tuple[Node, ...]:
    """Return the stages so that each comes after those it needs; ties as dvc.yaml has them.

    A dvc.lock that cannot be read is set aside.
    """
    try:
        return _read()
    except (DvcException, NotImplementedError):  # the latter of an entry without its hash
        if not Path(LOCK_FILE).is_file():
            raise
        with mend.without_record():
            return _read()


def _read() -> tuple[Node, ...]:
    with Repo() as repo:
        graph = repo.index.graph  # an edge goes from a stage to one that it needs
        written = {stage: place for place, stage in enumerate(repo.index.stages)}
        order = networkx.lexicographical_topological_sort(graph.reverse(), key=written.get)
        mend.remove_cut_locks(repo)  # DVC asks for its locks in status
        changed = repo.status()
        stale = {stage for stage in graph if stage.addressing in changed}
        return tuple(
            Node(
                stage.name,
                (stage.meta or {}).get("pool", "cpu"),
                tuple(_names(graph.successors(stage))),
                stale.isdisjoint({stage, *networkx.descendants(graph, stage)}),
            )
            for stage in order
            if isinstance(stage, PipelineStage)  # data.dvc is in the graph too
        )


def _names(stages: Iterator[PipelineStage]) -> Iterator[str]:
    return (stage.name for stage in stages if isinstance(stage, PipelineStage))


def check_data() -> None:
    """Refuse data/ that data.dvc does not describe: what is trained on must be on record.

    Data that it does describe is put into DVC's cache, if it is not there yet.

    Raises:
        InputError: with the command that records it.
    """
    with Repo() as repo, repo.lock:
        (stage,) = repo.stage.collect("data.dvc")
        (data,) = stage.outs
        if not data.exists or data.changed_checksum():
            raise InputError("data/ is not what data.dvc records; run `dvc add data`, then commit")
        if data.changed_cache():
            data.commit()


def check_results() -> None:
    """Refuse results of other data, parameters or code than are here now: a run takes hours.

    Raises:
        InputError: naming the first stage that is not as it was when it ran.
    """
    if layout.DATA.is_dir():
        check_data()
    for node in nodes():
        if not node.current:
            raise InputError(
                f"{node.name}: what it was made from changed during the run, as `dvc status` "
                "shows; nothing is published; run again"
            )
