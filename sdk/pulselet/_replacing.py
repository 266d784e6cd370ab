"""Write a file so that it is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a file beside `path` to write to, which takes its place, and its mode, when the block ends without error.

    Parameters
    ----------
    durable
        Whether it is on the disk before it takes that place, so that a loss of power cannot leave it empty.

    Raises
    ------
    OSError
        If the system refuses; what was at `path` is still there.
    """
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
