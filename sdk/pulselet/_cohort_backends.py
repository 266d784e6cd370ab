"""Where the tasks of `pulselet.cohort` run: in this process, in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Protocol

from pulselet import _cohort as work
from pulselet._extras import require
from pulselet.errors import PipelineError

DIED = "the worker died while it worked on this recording: out of memory, or a crash in native code"
LARGE = 1_000_000  # bytes, from which Dask wants data apart from tasks


class Backend(Protocol):
    """Where tasks run."""

    ahead: int  # how many are handed out at once

    def submit(self, recording: bytes) -> Any:
        """Hand out a recording."""

    def first(self, tasks: list[Any]) -> list[Any]:
        """Return those that are done, one at least."""

    def outcome(self, task: Any, recording: bytes) -> work.Outcome:
        """Return what came of a task that is done."""

    def stop(self, *, at_once: bool) -> None:
        """Come to an end; `at_once` does not wait for what runs."""


class Here:
    """This process, one recording after the other."""

    ahead = 1

    def __init__(self, payload: work.Payload) -> None:
        self._payload = payload

    def submit(self, recording: bytes) -> work.Outcome:
        return work.do(self._payload, recording)

    def first(self, tasks: list[work.Outcome]) -> list[work.Outcome]:
        return list(tasks)

    def outcome(self, task: work.Outcome, recording: bytes) -> work.Outcome:
        return task

    def stop(self, *, at_once: bool) -> None:
        pass


class Processes:
    """Processes of this machine, started afresh ("spawn"): nothing of this one's state can change a result.

    One that dies takes its whole pool along, and nobody knows which recording it was. So those that were under way are
    done again, each in a process of its own.
    """

    def __init__(self, payload: work.Payload, workers: int) -> None:
        self.ahead = 2 * workers
        self._payload, self._workers = payload, workers
        self._pool = self._start(workers)
        try:
            problem = self._pool.submit(work.ready).result()
        except BrokenProcessPool as error:
            raise PipelineError(
                "no worker process came up. A script must call this under `if __name__ == '__main__':`, because each "
                "worker reads the script; what the worker said stands above"
            ) from error
        if problem:
            self.stop(at_once=False)
            raise PipelineError(
                f"workers cannot read the function ({problem}): move it to the top level of a module that they can "
                "import, or pip install 'pulselet[cohort]'; workers=0 runs it in this process"
            )

    def _start(self, workers: int) -> ProcessPoolExecutor:
        spawn = get_context("spawn")
        return ProcessPoolExecutor(workers, spawn, initializer=work.start_worker, initargs=(self._payload,))

    def submit(self, recording: bytes) -> Future[work.Outcome]:
        try:
            return self._pool.submit(work.do_shared, recording)
        except BrokenProcessPool:
            self._pool.shutdown()
            self._pool = self._start(self._workers)
            return self._pool.submit(work.do_shared, recording)

    def first(self, tasks: list[Future[work.Outcome]]) -> list[Future[work.Outcome]]:
        return list(wait(tasks, return_when=FIRST_COMPLETED).done)

    def outcome(self, task: Future[work.Outcome], recording: bytes) -> work.Outcome:
        try:
            return task.result()
        except BrokenProcessPool:
            return self._alone(recording)

    def _alone(self, recording: bytes) -> work.Outcome:
        with self._start(1) as pool:
            try:
                return pool.submit(work.do_shared, recording).result()
            except BrokenProcessPool:
                return work.Outcome("", None, False, (DIED, DIED), 2)

    def stop(self, *, at_once: bool) -> None:
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=not at_once, cancel_futures=True)
        for process in processes if at_once else ():
            process.terminate()


class Dask:
    """The workers of a Dask client; they need the same Pulselet, and the files at the same places."""

    def __init__(self, payload: work.Payload, client: Any) -> None:
        if not all(hasattr(client, name) for name in ("submit", "scatter", "nthreads")):
            raise PipelineError(f"wanted a dask.distributed.Client as client, got {type(client).__name__}")
        self._distributed = require("distributed", "cohort")
        self._client = client
        self.ahead = 2 * max(1, sum(client.nthreads().values()))
        (self._payload,) = client.scatter([payload], broadcast=True, hash=False)

    def submit(self, recording: bytes) -> Any:
        sent: Any = recording
        if len(recording) > LARGE:
            (sent,) = self._client.scatter([recording], hash=False)
        return self._client.submit(work.do, self._payload, sent, pure=False)

    def first(self, tasks: list[Any]) -> list[Any]:
        return list(self._distributed.wait(tasks, return_when="FIRST_COMPLETED").done)

    def outcome(self, task: Any, recording: bytes) -> work.Outcome:
        try:
            outcome: work.Outcome = task.result()
        except Exception as error:  # the cluster gave it up: a worker that died again and again
            return work.Outcome("", None, False, work.told(error), 1)
        task.release()
        return outcome

    def stop(self, *, at_once: bool) -> None:
        self._payload.release()
