"""What can happen to a file."""

from pathlib import Path


def cut(path: Path) -> None:
    """Take the last bytes away."""
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    """Change one bit of the last byte."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
