"""One function over many recordings: on the cores of this machine, or on a Dask cluster; the result is the same."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pulselet import _cohort as work
from pulselet._cohort_backends import Backend, Dask, Here, Processes
from pulselet._version import __version__
from pulselet.errors import PipelineError, PulseletError
from pulselet.stream.corpus import Recording

__all__ = ["CohortInterrupt", "CohortResult", "Failure", "run"]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Failure:
    """A recording that came to nothing: which, counted from 0, why, and after how many attempts."""

    number: int
    dataset: str
    recording: str
    subject: str
    error: str
    traceback: str
    attempts: int


@dataclass(frozen=True)
class CohortResult:
    """What came of the recordings, in the order given.

    Attributes
    ----------
    names, subjects
        Of the recordings.
    values
        What the function returned, None where it failed; with `out`, its rows as a list of dicts.
    failures
        What went wrong.
    reused
        How many were done before, and taken from disk.
    out
        The Parquet file, if one was asked for.
    """

    names: tuple[str, ...]
    subjects: tuple[str, ...]
    values: tuple[Any, ...]
    failures: tuple[Failure, ...]
    reused: int
    out: Path | None

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        line = f"{len(self) - len(self.failures)} of {len(self)} recordings done, {self.reused} of them before"
        return "\n".join([line, *(f"{one.dataset}/{one.recording}: {one.error}" for one in self.failures)])

    def check(self) -> CohortResult:
        """Return this result.

        Raises
        ------
        PulseletError
            If a recording failed; it names them, with the traceback of the first.
        """
        if not self.failures:
            return self
        names = ", ".join(one.recording for one in self.failures)
        raise PulseletError(
            f"{len(self.failures)} of {len(self)} recordings failed: {names}\n{self.failures[0].traceback}"
        )


class CohortInterrupt(KeyboardInterrupt):
    """Somebody stopped the run; `result` holds the recordings that were done."""

    def __init__(self, result: CohortResult) -> None:
        super().__init__(f"interrupted; {len(result)} recordings are done")
        self.result = result


class _Head(NamedTuple):
    """Of a recording, what its rows begin with."""

    dataset: str
    recording: str
    subject: str
    simulated: bool


_UNREAD = _Head("", "?", "", False)


class _Done(NamedTuple):
    number: int
    head: _Head
    outcome: work.Outcome


def run(
    function: Callable[[Recording], Any],
    recordings: Iterable[Recording],
    client: Any = None,
    *,
    workers: int | None = None,
    out: Path | str | None = None,
    retries: int = 1,
    progress: bool = True,
    version: str = "",
) -> CohortResult:
    """Return what a function makes of each recording.

    Results stand in the order of the recordings, and are the same for any number of workers: each runs in a fresh
    process with one thread of linear algebra, and sees one recording. A recording that fails is tried again, then
    recorded with its traceback; the others go on. Recordings are taken from the iterable as workers get free.

    Parameters
    ----------
    function
        Takes a `Recording`. One that is not at the top level of a module (a lambda, a cell of a notebook) needs
        cloudpickle, which the extra `cohort` brings.
    recordings
        A data set, or any iterable of recordings. Each is pickled: its `read` must be a function of a module, or a
        `functools.partial` of one. One that a data set cannot read ends it, which is recorded as a failure; a data set
        that is to skip those is told so when it is loaded.
    client
        A `dask.distributed.Client`; its workers need the same Pulselet, and the files at the same paths.
    workers
        Processes on this machine, one per core if not given; 0 runs all in this process, for a debugger.
    out
        A Parquet file. The function then returns a dict for a row, or a list of dicts, of numbers, texts, and lists or
        dicts of them; the columns dataset, recording, subject and simulated come before. What is done is kept in the
        folder `<out>.parts`, and not done again by a later run with the same function (its own source and arguments,
        and plain values of its module, not what it calls: change `version` for that) and recording (its files, or
        samples, labels, signals and facts). Failures are written to `<out>.failures.json`.
    retries
        How often a recording is tried again.
    progress
        Whether a terminal shows a bar.
    version
        Any text; another one means another function.

    Raises
    ------
    PipelineError
        If the function cannot be sent to workers, or the client is none.
    DatasetError
        If a column holds values of several types, or `out` is a folder. What was computed is kept.
    CohortInterrupt
        If somebody interrupts it (Ctrl-C): what is done is kept, and is its `result`.
    """
    if retries < 0 or (workers is not None and workers < 0):
        raise PipelineError(f"wanted 0 or more workers and retries, got workers={workers}, retries={retries}")
    store = None if out is None else work.Store(Path(out))
    identity = work.identity_of(function, version) if store else ""
    here = client is None and workers == 0
    sent = function if here else work.pickled(function)
    payload = work.Payload(sent, identity, retries + 1, store.done() if store else frozenset())
    found: list[_Done] = []
    with _one_thread_each():
        backend = _backend(payload, client, workers)
        try:
            with closing(_all(backend, recordings, progress)) as stream:
                for done in stream:
                    found.append(_stored(done, store))
        except BaseException as error:
            backend.stop(at_once=True)
            if isinstance(error, KeyboardInterrupt):
                raise CohortInterrupt(_finished(found, store, function, identity)) from error
            raise
        backend.stop(at_once=False)
    return _finished(found, store, function, identity)


def _backend(payload: work.Payload, client: Any, workers: int | None) -> Backend:
    if client is not None:
        return Dask(payload, client)
    if workers == 0:
        return Here(payload)
    return Processes(payload, workers or _cores())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile use one thread of linear algebra, unless somebody has said otherwise.

    As many processes as cores need no more; and sums that are split among threads depend on how many there are.
    """
    mine = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(mine, "1"))
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)


def _all(backend: Backend, recordings: Iterable[Recording], progress: bool) -> Generator[_Done, None, None]:
    """Yield what comes of the recordings, as they get done; no more are under way than the backend wants."""
    running: dict[int, tuple[Any, int, _Head, bytes]] = {}

    def collect() -> Iterator[_Done]:
        for task in backend.first([entry[0] for entry in running.values()]):
            _, number, head, pickled = running.pop(id(task))
            yield _Done(number, head, backend.outcome(task, pickled))

    with _bar(progress, len(recordings) if isinstance(recordings, Sequence) else None) as advance:
        for number, head, pickled, error in _sendable(recordings):
            if error:
                advance()
                yield _Done(number, head, work.Outcome("", None, False, error, 1))
                continue
            task = backend.submit(pickled)
            running[id(task)] = (task, number, head, pickled)
            while len(running) >= backend.ahead:
                for done in collect():
                    advance()
                    yield done
        while running:
            for done in collect():
                advance()
                yield done


def _sendable(recordings: Iterable[Recording]) -> Iterator[tuple[int, _Head, bytes, tuple[str, str] | None]]:
    """Yield recordings, numbered and pickled, or why one cannot be; it ends with the first that cannot be read."""
    reading = enumerate(recordings)
    number = -1
    while True:
        try:
            number, recording = next(reading)
        except StopIteration:
            return
        except PulseletError as error:
            line, trace = work.told(error)
            yield number + 1, _UNREAD, b"", (f"this recording and those after it were not read: {line}", trace)
            return
        head = _Head(recording.dataset, recording.name, recording.subject, recording.simulated)
        pickled, problem = b"", None
        try:
            pickled = pickle.dumps(recording)
        except Exception as error:  # what stands in its `read` decides what is raised
            line, trace = work.told(error)
            problem = f"cannot be sent to a worker: {line}", trace
        yield number, head, pickled, problem


@contextmanager
def _bar(progress: bool, total: int | None) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not (progress and console.is_terminal), transient=True) as bar:
        task = bar.add_task("recordings", total=total)
        yield lambda: bar.advance(task)


def _stored(done: _Done, store: work.Store | None) -> _Done:
    """Return what came of a recording with its rows complete, written to disk first."""
    outcome = done.outcome
    if store is None or outcome.error:
        return done
    if outcome.reused:
        return done._replace(outcome=outcome._replace(value=store.kept(outcome.key)))
    store.keep(outcome.key, outcome.value)
    return done


def _finished(
    found: list[_Done], store: work.Store | None, function: Callable[[Recording], Any], identity: str
) -> CohortResult:
    """Return the result in order; write the table, if one is asked for."""
    found = sorted(found, key=lambda done: done.number)
    failures = tuple(
        Failure(done.number, *done.head[:3], *done.outcome.error, done.outcome.attempts)
        for done in found
        if done.outcome.error
    )
    if store:
        rows = [
            row for done in found if not done.outcome.error for row in work.rows_with(done.head, done.outcome.value)
        ]
        about = {"function": work.name_of(function), "identity": identity, "pulselet": __version__}
        store.finish(rows, [asdict(one) for one in failures], about)
    return CohortResult(
        names=tuple(done.head.recording for done in found),
        subjects=tuple(done.head.subject for done in found),
        values=tuple(done.outcome.value for done in found),
        failures=failures,
        reused=sum(done.outcome.reused for done in found),
        out=store.out if store else None,
    )
