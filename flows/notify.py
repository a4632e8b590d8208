"""``python -m flows.notify URL``: have Prefect's server call a webhook when a person is needed.

It makes, or replaces, the block and the automation `charter-oncall`. They report a run of one of
our flows that failed, crashed, refused its input, was refused by the gate, or awaits approval. The
server makes the call, so no worker needs to run.
"""

import argparse
import sys
from collections.abc import Sequence
from uuid import UUID

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import EventTrigger, Posture

from flows.retried import WRONG_INPUT

NAME = "charter-oncall"
FLOWS = ("retrain", "approve", "promote", "rollback", "verify", "compare")
STATES = ("Failed", "Crashed", "TimedOut", WRONG_INPUT, "Refused", "AwaitingApproval")
_PAYLOAD = """{
  "flow": {{ flow.name | tojson }},
  "run": {{ flow_run.name | tojson }},
  "state": {{ flow_run.state.name | tojson }},
  "message": {{ flow_run.state.message | tojson }},
  "page": {{ flow_run | ui_url | tojson }}
}"""


def notify(url: str) -> None:
    """Make the block and the automation, replacing those of the same name."""
    block = Webhook.model_validate({"url": url, "headers": {"Content-Type": "application/json"}})
    block_id = UUID(str(block.save(NAME, overwrite=True)))
    with get_client(sync_client=True) as client:
        for known in client.read_automations_by_name(NAME):
            client.delete_automation(known.id)
    Automation(
        name=NAME,
        description="Runs that want a person, to a webhook.",
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{state}" for state in STATES},
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": list(FLOWS)},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[CallWebhook(block_document_id=block_id, payload=_PAYLOAD)],
    ).create()


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up the notification of the given URL."""
    parser = argparse.ArgumentParser(prog="python -m flows.notify", description=__doc__)
    parser.add_argument("url", help="receives a POST with JSON; a secret of Prefect's server")
    notify(parser.parse_args(arguments).url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
