"""The host's monotonic clock: one for packets, events and sessions."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

now_ns: Callable[[], int] = time.perf_counter_ns if sys.platform == "win32" else time.monotonic_ns
"""Returns ns since some moment. On Windows `monotonic` goes in steps of 15 ms before Python 3.13."""
