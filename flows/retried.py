"""How tasks are retried: after any failure but bad input, which ends the run."""

from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from pipeline.errors import InputError

WRONG_INPUT = "WrongInput"  # the state of a run that refused what it was given


def _may_retry(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    return not isinstance(state.result(raise_on_failure=False), InputError)


RETRIED: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": 10,
    "retry_condition_fn": _may_retry,
    "persist_result": False,
}
