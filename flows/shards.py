"""``python -m flows.shards [threads|dask|ray]``: run the shards of a stage as Prefect tasks.

A stage starts this command if the variable CHARTER_SHARDS names it, and passes the shards on
standard input: only their names, parameters and paths. So a cluster's machines need the clone and
its environment at the same path on a shared disk.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from prefect import flow, task
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows import server
from flows.retried import RETRIED
from pipeline import lifeline, shards
from pipeline.errors import InputError
from pipeline.shards import Shard

_THREADS = 2  # a shard uses all cores: one more reads meanwhile
_STORE_BYTES = 100 << 20  # of a local Ray: names and paths are all that travels


@task(name="shard", task_run_name="{shard.name}", **RETRIED)
def do_shard(shard: Shard) -> None:
    """Run one shard on whatever machine the task is on."""
    shards.do(shard)


@flow(name="shards", flow_run_name="shards of {stage}")
def do_shards(stage: str) -> None:  # noqa: ARG001
    """Run the shards on standard input as mapped tasks.

    Args:
        stage: The stage that they belong to, for the run's name.
    """
    do_shard.map(shards.read(sys.stdin)).result()


def runner(kind: str, address: str | None) -> TaskRunner[Any]:
    """Return the task runner; without an address, a cluster on loopback that ends with the run."""
    local: dict[str, Any]
    if kind == "dask":
        os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")
        from prefect_dask.task_runners import DaskTaskRunner

        local = {"dashboard_address": "127.0.0.1:0"}
        return DaskTaskRunner(address=address, cluster_kwargs=None if address else local)
    if kind == "ray":
        from prefect_ray.task_runners import RayTaskRunner

        local = {"_node_ip_address": "127.0.0.1", "object_store_memory": _STORE_BYTES}
        return RayTaskRunner(address, None if address else {"include_dashboard": False, **local})
    return ThreadPoolTaskRunner(max_workers=_THREADS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the shards; 2 means that one refused its input."""
    parser = argparse.ArgumentParser(prog="python -m flows.shards", description=__doc__)
    parser.add_argument("runner", nargs="?", choices=("threads", "dask", "ray"), default="threads")
    parser.add_argument("--address", help="of a running Dask scheduler or Ray cluster")
    parsed = parser.parse_args(arguments)
    run = do_shards.with_options(task_runner=runner(parsed.runner, parsed.address))
    try:
        with server.at_hand() as wait:
            wait()
            run(os.environ.get("DVC_STAGE", "a stage"))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    lifeline.end_with_parent()
    from flows.shards import main as run_main  # by a name that other processes can import

    sys.exit(run_main())
