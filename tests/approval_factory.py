"""A workspace whose policy asks for a person: Ann made the bundle, and Abe may approve it."""

import subprocess
from pathlib import Path
from typing import Any

import bundle_factory
import report_factory
import yaml
from signing_keys import Keys

from pipeline import files, layout, reports

AUTHOR, APPROVER = "Ann Author", "Abe Approver"


def init_git(author: str = AUTHOR) -> None:
    """Make the working directory a git repository with one commit, of Ann's unless said."""
    git = ("git", "-c", f"user.name={author}", "-c", "user.email=a@example.org")
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "x"], check=True)


def build(name: str, keys: Keys, seed: int = 0, **policy: Any) -> None:
    """Fill the working directory as `bundle_factory.build` does; ``policy`` is laid over its."""
    bundle_factory.build(name, seed=seed)
    raw = yaml.safe_load(layout.POLICY.read_text())
    raw |= {"approval": "required", "approvers": {APPROVER: keys.line, AUTHOR: keys.line}} | policy
    layout.POLICY.write_text(yaml.safe_dump(raw))
    made = report_factory.make(files.sha256_file(layout.POLICY))
    reports.write("evaluate", made["evaluate"])
    bundle_factory.write_bundle(name, seed)
    config = yaml.safe_load(Path("params.yaml").read_text())
    config["bundle"]["name"] = name
    Path("params.yaml").write_text(yaml.safe_dump(config))
