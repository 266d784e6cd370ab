"""Labels while a recording runs: by key, or by a protocol that prompts for them."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from pulselet.cli.options import names_of
from pulselet.errors import RecordingError
from pulselet.stream.labels import LABEL

if TYPE_CHECKING:
    from rich.console import Console

    from pulselet.stream.recording import Recording

LOOK_S = 0.05  # how often a console of Windows is asked for a key
FUNCTION_KEYS = ("\0", "\xe0")  # what comes before the code of an arrow, a function key or Alt with a letter


class Labels(Protocol):
    """Gives labels to a recording."""

    def start(self, recording: Recording, console: Console) -> float | None:
        """Begin; return how long the recording is to last, in s, if that is known."""

    def stop(self) -> None:
        """End the label that holds."""


def labels_of(keys: str, protocol: str) -> Labels | None:
    """Return what the two options ask for; RecordingError if they make no sense."""
    if keys and protocol:
        raise RecordingError("labels come by key or by protocol: give one of --labels and --protocol")
    if protocol:
        return Prompted(_steps(protocol))
    names = names_of(keys)
    if len(names) > 9:
        raise RecordingError(f"there are keys for 9 labels, got {len(names)}")
    return Keyed(names) if names else None


def _steps(protocol: str) -> list[tuple[str, float]]:
    steps = []
    for step in protocol.split(","):
        name, _, length = step.rpartition(":")
        try:
            length_s = float(length)
        except ValueError:
            length_s = 0.0
        if not name.strip() or not length_s > 0:
            raise RecordingError(f"a protocol is NAME:SECONDS,NAME:SECONDS,...; this step is not: {step!r}")
        steps.append((name.strip(), length_s))
    return steps


class Prompted:
    """Says what to do now, one label after the other, and for how long."""

    def __init__(self, steps: list[tuple[str, float]]) -> None:
        self._steps = steps
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, recording: Recording, console: Console) -> float:
        self._recording, self._console = recording, console
        self._thread.start()
        return sum(length_s for _, length_s in self._steps)

    def _run(self) -> None:
        for name, length_s in self._steps:
            self._console.print(f"now: {name}, for {length_s:g} s", markup=False)
            self._recording.event(LABEL, name)
            if self._over.wait(length_s):
                break

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._recording.event(LABEL)


class Keyed:
    """Takes one key for each label, without Enter on a terminal; from a pipe, one line for each."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._over = False
        self._terminal = contextlib.ExitStack()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, recording: Recording, console: Console) -> None:
        self._recording, self._console = recording, console
        keys = "  ".join(f"{number} {name}" for number, name in enumerate(self._names, start=1))
        console.print(f"keys: {keys}  0 none", markup=False)
        self._keys = self._terminal.enter_context(_keys())
        self._thread.start()

    def _run(self) -> None:
        for key in self._keys:
            if self._over:
                return
            self._give(key)

    def _give(self, key: str) -> None:
        number = int(key) if key.isdigit() else -1
        if not 0 <= number <= len(self._names):
            return
        name = self._names[number - 1] if number else ""
        self._recording.event(LABEL, name)
        self._console.print(f"label: {name or 'none'}", markup=False)

    def stop(self) -> None:
        self._over = True  # the thread is a daemon: it may wait for a key for ever
        self._terminal.close()
        self._recording.event(LABEL)


@contextlib.contextmanager
def _keys() -> Iterator[Iterator[str]]:
    """Give the keys that are pressed, as they are; without a terminal that can do that, the lines that are entered."""
    if not sys.stdin.isatty():
        yield (line.strip() for line in sys.stdin)
    elif importlib.util.find_spec("termios") is not None:
        with _unbuffered():
            yield iter(lambda: sys.stdin.read(1), "")
    else:
        yield _of_windows()


@contextlib.contextmanager
def _unbuffered() -> Iterator[None]:
    """Have a terminal give each key at once."""
    import termios
    import tty

    stream = sys.stdin.fileno()
    before = termios.tcgetattr(stream)
    tty.setcbreak(stream)
    try:
        yield
    finally:
        termios.tcsetattr(stream, termios.TCSADRAIN, before)


def _of_windows() -> Iterator[str]:
    """Yield the keys that are pressed in a console of Windows.

    It is asked whether there is one: a console that waits for a key takes Ctrl-C for one too, and the recording could
    not be ended.
    """
    console: Any = importlib.import_module("msvcrt")
    while True:
        if not console.kbhit():
            time.sleep(LOOK_S)
            continue
        key = console.getwch()
        if key in FUNCTION_KEYS and console.kbhit():
            console.getwch()  # which one; its code can look like a digit
        else:
            yield key
