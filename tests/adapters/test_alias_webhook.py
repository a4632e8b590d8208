"""MLflow's own webhook on an alias that moves, by the operations page's command, on loopback."""

import base64
import hashlib
import hmac
import re
import subprocess
import time
from pathlib import Path

import pytest
import servers
import webhook

from pipeline.adapters import tracking

pytestmark = pytest.mark.slow
DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
WRITTEN = {"url": "https://oncall.example.org/mlflow", "secret": "a long random word"}


def test_a_moved_champion_is_posted_signed_whoever_moved_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two variables let MLflow call loopback, which it refuses by default."""
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http,https")
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    (command,) = re.findall(r"(?ms)^curl [^`]*/mlflow/webhooks\"$", DOCUMENT.read_text())
    assert all(command.count(each) == 1 for each in WRITTEN.values())
    database = f"sqlite:///{tmp_path}/mlflow.db"
    with webhook.listen() as (url, posts), servers.mlflow(tmp_path, database) as server:
        server.wait()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        subprocess.run(["bash", "-c", command.replace(WRITTEN["url"], url)], check=True)
        client = tracking.connect()
        client.create_registered_model("m")
        version = client.create_model_version("m", "s3://bucket/m").version
        client.set_registered_model_alias("m", "champion", version)
        client.delete_registered_model_alias("m", "champion")
        until = time.monotonic() + 30
        while len(posts) < 2 and time.monotonic() < until:
            time.sleep(0.1)
    moved = {"name": "m", "alias": "champion"}
    said = {post.body["action"]: post.body["data"] for post in posts}
    assert said == {"created": moved | {"version": version}, "deleted": moved}
    for post in posts:
        signed = [post.headers[f"X-MLflow-{part}"] for part in ("Delivery-Id", "Timestamp")]
        message = ".".join([*signed, post.raw.decode()]).encode()
        digest = hmac.digest(WRITTEN["secret"].encode(), message, hashlib.sha256)
        assert post.headers["X-MLflow-Signature"] == f"v1,{base64.b64encode(digest).decode()}"
