"""A real Chromium without a screen, driven by its DevTools protocol."""

import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PATH = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


class Tab:
    """One page, at the size and in the scheme that it is given."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result; keep the events that come first."""
        call = next(self._ids)
        self._socket.send(json.dumps({"id": call, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=20))
            if message.get("id") == call:
                assert "error" not in message, message
                return dict(message["result"])
            self.events.append(message)

    def open(self, path: Path, width: int = 1280, scheme: str = "light", media: str = "") -> None:
        """Show a file; return when it is loaded."""
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", media=media, features=features)
        self.events.clear()
        self.send("Page.navigate", url=path.resolve().as_uri())
        self._await("Page.loadEventFired")

    def _await(self, event: str) -> None:
        while not any(message["method"] == event for message in self.events):
            self.events.append(json.loads(self._socket.recv(timeout=20)))

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        done = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")


@contextlib.contextmanager
def tab() -> Iterator[Tab]:
    """Start a browser with its own profile and yield its tab; end both."""
    assert PATH is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [PATH, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_address(Path(profile)), max_size=None) as socket:
                yield Tab(socket)
                socket.send(json.dumps({"id": 0, "method": "Browser.close"}))
        finally:
            process.terminate()
            process.wait(timeout=20)


def _address(profile: Path) -> str:
    """Return the websocket of the first tab, once the browser has written its port."""
    until = time.monotonic() + 20
    while not (port := profile / "DevToolsActivePort").is_file() or not port.read_text():
        assert time.monotonic() < until, "chromium did not start in 20 s"
        time.sleep(0.05)
    number = port.read_text().split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{number}/json") as reply:
        tabs = json.load(reply)
    return next(str(each["webSocketDebuggerUrl"]) for each in tabs if each["type"] == "page")
