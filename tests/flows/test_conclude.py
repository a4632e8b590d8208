"""How `python -m flows.retrain` ends: by the run's state, even where its result is lost."""

import pytest
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import MissingResult

from flows import retrain
from pipeline.__main__ import REFUSED_CODE


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Promoted", 0),
        ("AlreadyChampion", 0),
        ("Skipped", 0),
        ("Completed", 0),
        ("Refused", REFUSED_CODE),
        ("AwaitingApproval", REFUSED_CODE),
        ("Unheard", REFUSED_CODE),
    ],
)
def test_a_state_from_the_server_without_its_result_decides(
    name: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prefect gives it where a request was sent twice; it used to end in a traceback and 1."""
    state = State(type=StateType.COMPLETED, name=name, message="model version 3")
    with pytest.raises(MissingResult):
        state.result()
    assert retrain.conclude(state) == code
    said = capsys.readouterr().out
    assert "bundle" in said if name == "Completed" else f"{name.lower()}" in said


def test_a_run_that_failed_still_raises() -> None:
    state = State(type=StateType.FAILED, name="Failed", message="a stage failed")
    with pytest.raises(Exception, match="a stage failed"):
        retrain.conclude(state)
