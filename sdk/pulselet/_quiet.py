"""Native libraries write to the process's standard error; hold that back unless something fails."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def native_output_held() -> Iterator[None]:
    """Hold back what C code writes to standard error; print it only if the block raises.

    TensorFlow's converter and TFLite Micro log on file descriptor 2, past Python and past every setting.
    """
    try:
        saved = os.dup(2)
    except OSError:  # no standard error to speak of
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            if failed:
                held.seek(0)
                sys.stderr.write(held.read().decode(errors="replace"))
