"""The machine and what is installed on it."""

import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline import layout, telemetry
from pipeline.doctor.finding import Finding

_OLDEST = (3, 11)  # pyproject.toml's requires-python
_GB = 1e9
_DISK_GB = {"wrong": 1.0, "warn": 5.0}  # free; the default run writes 2 GB
_MEMORY_GB = {"wrong": 1.0, "warn": 4.0}  # available; the default run takes 3 GB
_SHOWN = 4
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;#]+)")
_INSTALL = f"run `python -m pip install -r {layout.LOCK}`"


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Iterator[Finding]:
    """Check that Python is not older than the code supports."""
    found = ".".join(map(str, version))
    if version < _OLDEST:
        yield Finding.wrong("python", found, "install Python 3.11 or newer, make .venv anew")
    else:
        yield Finding.ok("python", found)


def check_packages(lock: Path = layout.LOCK) -> Iterator[Finding]:
    """Compare every installed package with requirements.lock."""
    if not lock.is_file():
        yield Finding.wrong("packages", f"{lock}: not found", "restore it from git")
        return
    pins = {pin["name"]: pin["version"] for pin in map(_PIN.match, _lines(lock)) if pin}
    found = {name: _installed(name) for name in pins}
    missing = [name for name, version in found.items() if version is None]
    other = [
        f"{name} {version} (not {pins[name]})"
        for name, version in found.items()
        if version is not None and _public(version) != _public(pins[name])
    ]
    if missing:
        yield Finding.wrong("packages", f"not installed: {_some(missing)}", _INSTALL)
    if other:
        yield Finding.warn("packages", f"not as locked: {_some(other)}", _INSTALL)
    if not missing and not other:
        yield Finding.ok("packages", f"{len(pins)} as {lock} has them")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _public(version: str) -> str:
    """Return a version without its build, as in ``2.13.0+cpu``."""
    return version.partition("+")[0]


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def check_disk() -> Iterator[Finding]:
    """Check for free space and write permission, here and in the folder of temporary files."""
    for name, folder in (("disk", Path()), ("disk of TMPDIR", Path(tempfile.gettempdir()))):
        if not os.access(folder, os.W_OK):
            yield Finding.wrong(name, f"{folder.resolve()} cannot be written", "mount it writable")
            continue
        free = shutil.disk_usage(folder).free / _GB
        advice = "free space, or move the workspace to a larger disk"
        yield _judge(name, free, _DISK_GB, "free", advice)


def check_memory(meminfo: Path = Path("/proc/meminfo")) -> Iterator[Finding]:
    """Check how much memory is available."""
    if not meminfo.is_file():
        yield Finding.ok("memory", "not known on this system")
        return
    line = next(line for line in _lines(meminfo) if line.startswith("MemAvailable:"))
    available = int(line.split()[1]) * 1024 / _GB  # the file says kB and means KiB
    advice = "end other processes, or lower pretrain.batch_sequences and features.batch_tokens"
    yield _judge("memory", available, _MEMORY_GB, "available", advice)


def _judge(name: str, found: float, limits: dict[str, float], what: str, advice: str) -> Finding:
    text = f"{found:.1f} GB {what}"
    if found < limits["wrong"]:
        return Finding.wrong(name, text, advice)
    return Finding.warn(name, text, advice) if found < limits["warn"] else Finding.ok(name, text)


def check_gpu() -> Iterator[Finding]:
    """Say which GPU torch sees; warn if there is a driver but torch sees no GPU."""
    try:
        import torch
    except ImportError:
        yield Finding.wrong("gpu", "torch is not installed", _INSTALL)
        return
    if torch.cuda.is_available():
        yield Finding.ok("gpu", torch.cuda.get_device_name())
    elif shutil.which("nvidia-smi"):
        built = torch.version.cuda or "no CUDA"
        found = f"a driver is here, and torch {torch.__version__} (for {built}) sees no GPU"
        yield Finding.warn("gpu", found, "install the torch that is built for this driver")
    else:
        yield Finding.ok("gpu", "none; every stage runs on the CPU")


def check_telemetry() -> Iterator[Finding]:
    """Check that the telemetry of every library is off, DVC's in its configuration too."""
    on = [name for name, value in telemetry.OFF.items() if os.environ.get(name) != value]
    config = Path(".dvc/config")
    if not config.is_file() or not re.search(r"analytics\s*=\s*false", config.read_text()):
        on.append("DVC's core.analytics")
    if on:
        advice = "run `dvc config core.analytics false`; the others are set by every command here"
        yield Finding.warn("telemetry", f"not off: {_some(on)}", advice)
    else:
        yield Finding.ok("telemetry", "off")
