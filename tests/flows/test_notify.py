"""What the automations take for a run that wants a person, and for one that is lost."""

from pathlib import Path

import pytest
import yaml
from prefect.server.events.schemas.automations import EventTrigger

from flows import notify
from flows.retried import WRONG_INPUT

ROOT = Path(__file__).parents[2]


def test_a_run_that_wants_a_person_is_told() -> None:
    """Prefect names a state's event by the state's name, not by its type."""
    assert {"Failed", "Crashed", WRONG_INPUT, "Refused", "AwaitingApproval"} <= {*notify.STATES}


@pytest.mark.parametrize("state", ["heartbeat", "Promoted", "Skipped", WRONG_INPUT, "Suspended"])
def test_a_run_that_ended_or_waits_is_not_lost(state: str) -> None:
    """Else ten minutes after its last heartbeat it would be marked as crashed."""
    told = yaml.safe_load((ROOT / "flows/lost_runs.yaml").read_text())["trigger"]
    trigger = EventTrigger.model_validate(told)
    assert trigger.starts_after("prefect.flow-run.heartbeat")
    assert trigger.expects(f"prefect.flow-run.{state}")
