"""What `pulselet.cohort` sends to its workers, and what it keeps on disk of their results."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import pickle
import signal
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from pulselet._extras import require
from pulselet._replacing import replacing
from pulselet._version import __version__
from pulselet.errors import DatasetError, PipelineError
from pulselet.stream.corpus import Recording

OWN = ("dataset", "recording", "subject", "simulated")
"""Columns that stand before those of the function."""


class Payload(NamedTuple):
    """What all tasks share: the function, its identity, how often to try, and keys that are done."""

    function: bytes | Callable[[Recording], Any]  # the function itself if it stays in this process
    identity: str  # empty if nothing is kept on disk
    attempts: int
    done: frozenset[str]


class Outcome(NamedTuple):
    """What came of a recording: its key, if that was asked for, and a value, or an error with its traceback."""

    key: str
    value: Any
    reused: bool
    error: tuple[str, str] | None
    attempts: int


def pickled(function: Callable[..., Any]) -> bytes:
    """Return a function as bytes that another process can read.

    Raises
    ------
    PipelineError
        If it can be read in this process only, and cloudpickle, which sends the code itself, is not installed.
    """
    try:
        cloudpickle = importlib.import_module("cloudpickle")
    except ModuleNotFoundError:
        cloudpickle = None
    try:
        return bytes((cloudpickle or pickle).dumps(function))
    except Exception as error:  # what stands in a closure decides what is raised
        hint = "what it takes along cannot be sent to another process"
        if cloudpickle is None:
            hint = "move it to the top level of a module, or pip install 'pulselet[cohort]'"
        raise PipelineError(
            f"the function {name_of(function)} cannot be sent to workers ({type(error).__name__}: {error}): {hint}; "
            "workers=0 runs it in this process"
        ) from error


def name_of(function: Callable[..., Any]) -> str:
    """Return module and name of a function, or of what a partial holds."""
    while isinstance(function, partial):
        function = function.func
    kind = function if hasattr(function, "__qualname__") else type(function)
    return f"{kind.__module__}.{kind.__qualname__}"


def identity_of(function: Callable[..., Any], version: str) -> str:
    """Return a digest of a function: its name, source, defaults, closure and bound arguments, and a version.

    So are the plain values that it takes from its module: numbers, texts, arrays, and lists or dicts of them. It does
    not see functions that this one calls.
    """
    digest = hashlib.sha256(f"pulselet {__version__}\n{version}\n".encode())
    for part in _parts_of(function):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _parts_of(function: Callable[..., Any]) -> list[bytes]:
    if isinstance(function, partial):
        return [*_parts_of(function.func), _bytes_of((function.args, sorted(function.keywords.items())))]
    if inspect.ismethod(function):
        return [*_parts_of(function.__func__), _bytes_of(function.__self__)]
    if not inspect.isfunction(function):
        whole = function if inspect.isroutine(function) else type(function)
        return [name_of(function).encode(), _source(whole), _bytes_of(function)]
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    given = (function.__defaults__, sorted((function.__kwdefaults__ or {}).items()), cells, _from_module(function))
    return [name_of(function).encode(), _source(function), _bytes_of(given)]


def _from_module(function: FunctionType) -> list[tuple[str, Any]]:
    """Return the plain values of its module that a function names, in the order of their names."""
    plain = (bool, int, float, str, bytes, tuple, list, dict, np.ndarray, type(None))
    known = function.__globals__
    return [
        (name, known[name]) for name in sorted(_names(function.__code__)) if isinstance(known.get(name, ...), plain)
    ]


def _names(code: CodeType) -> set[str]:
    return set(code.co_names).union(*(_names(inner) for inner in code.co_consts if inspect.iscode(inner)))


def _compiled(code: CodeType) -> bytes:
    """Return all that a function's code says, with that of functions inside it."""
    inner = b"".join(_compiled(one) for one in code.co_consts if inspect.iscode(one))
    rest = [one for one in code.co_consts if not inspect.iscode(one)]
    return code.co_code + repr((code.co_names, code.co_varnames, code.co_freevars, rest)).encode() + inner


def _source(thing: Any) -> bytes:
    try:
        return inspect.getsource(thing).encode()
    except (OSError, TypeError):  # typed at a prompt
        code = getattr(thing, "__code__", None)
        return b"" if code is None else _compiled(code)


def _bytes_of(thing: Any) -> bytes:
    try:
        return pickle.dumps(thing, protocol=4)
    except Exception:  # a closure over a lambda, say; its source stands in the function's
        return pickled(partial(print, thing))


def key_of(recording: Recording, identity: str) -> str:
    """Return a digest of a function and all of a recording: names, files or samples, labels, and what it says.

    The same files may be read in two ways, such as at two even rates.
    """
    head = (identity, recording.dataset, recording.name, recording.subject, recording.sha256)
    digest = hashlib.sha256("\n".join(head).encode())
    for about in (recording.signals, recording.start_s, recording.facts):
        digest.update(repr(sorted((name, repr(one)) for name, one in about.items())).encode())
    for kind, labels in sorted(recording.labels.items()):
        digest.update(repr((kind, labels.vocabulary, labels.rate_hz)).encode())
        for part in (labels.begin, labels.end, labels.code):
            digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


_shared: list[Payload] = []  # of this worker process


def start_worker(payload: Payload) -> None:
    """Keep what all tasks of this process share; an interrupt is for the parent to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _shared[:] = [payload]


def ready() -> str:
    """Return nothing if this worker can read the function, else why it cannot."""
    try:
        function = _shared[0].function
        if isinstance(function, bytes):
            _load(function)
    except Exception as error:  # whatever importing its module raises
        return f"{type(error).__name__}: {error}"
    return ""


@lru_cache(maxsize=2)
def _load(function: bytes) -> Callable[[Recording], Any]:
    loaded: Callable[[Recording], Any] = pickle.loads(function)
    return loaded


def do_shared(recording: bytes) -> Outcome:
    """Return what the function of this worker makes of a pickled recording."""
    return do(_shared[0], recording)


def do(payload: Payload, recording: bytes) -> Outcome:
    """Return what a function makes of a pickled recording; whatever it raises is an outcome too."""
    key, attempts = "", 0
    while True:
        attempts += 1
        try:
            one: Recording = pickle.loads(recording)
            key = key or (key_of(one, payload.identity) if payload.identity else "")
            if key in payload.done:
                return Outcome(key, None, True, None, 0)
            function = payload.function
            value = (_load(function) if isinstance(function, bytes) else function)(one)
            return Outcome(key, rows_of(value) if payload.identity else value, False, None, attempts)
        except Exception as error:  # never stops the other recordings
            if attempts >= payload.attempts:
                return Outcome(key, None, False, told(error), attempts)


def told(error: BaseException) -> tuple[str, str]:
    """Return an error in a line, and its traceback."""
    return f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def rows_of(value: Any) -> list[dict[str, Any]]:
    """Return one or several dicts as rows of plain values, which JSON and Parquet take alike.

    Raises
    ------
    PipelineError
        If it is something else, or a name is one of `OWN`.
    """
    several = [value] if isinstance(value, Mapping) else value
    if not isinstance(several, list | tuple) or not all(isinstance(row, Mapping) for row in several):
        raise PipelineError(f"with `out`, wanted a dict for a row, or a list of dicts, got {type(value).__name__}")
    rows = [{str(name): _plain(one, str(name)) for name, one in row.items()} for row in several]
    taken = sorted({name for row in rows for name in row if name in OWN})
    if taken:
        raise PipelineError(f"the columns {taken} are filled in from the recording; give yours other names")
    return rows


def _plain(value: Any, name: str) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one, name) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(one, name) for key, one in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise PipelineError(
        f"column {name!r}: wanted numbers, texts, or lists or dicts of them, got {type(value).__name__}"
    )


class Store:
    """A Parquet file of rows, and beside it what is done: a folder `<name>.parts` with a file for each recording.

    Every file is written beside its place and moved there, so none is ever half there.
    """

    def __init__(self, out: Path) -> None:
        if out.is_dir():
            raise DatasetError(f"wanted a file to write results to, got the folder {out}; name a file in it")
        require("pyarrow", "cohort")
        self.out = out
        self._parts = out.with_name(out.name + ".parts")
        self._failures = out.with_name(out.name + ".failures.json")
        self._parts.mkdir(parents=True, exist_ok=True)

    def done(self) -> frozenset[str]:
        """Return the keys that are done."""
        return frozenset(path.stem for path in self._parts.glob("*.json"))

    def keep(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Write what a recording came to."""
        with replacing(self._parts / f"{key}.json", durable=False) as file:
            file.write(json.dumps(rows).encode())

    def kept(self, key: str) -> list[dict[str, Any]]:
        """Return what a recording came to."""
        rows: list[dict[str, Any]] = json.loads((self._parts / f"{key}.json").read_text())
        return rows

    def finish(self, rows: list[dict[str, Any]], failures: list[dict[str, Any]], about: Mapping[str, str]) -> None:
        """Write the table and the record of failures.

        Raises
        ------
        DatasetError
            If a column holds values of several types; what was computed is kept.
        """
        if failures:
            with replacing(self._failures, durable=False) as file:
                file.write(json.dumps(failures, indent=2).encode())
        else:
            self._failures.unlink(missing_ok=True)
        pa, parquet = require("pyarrow", "cohort"), require("pyarrow.parquet", "cohort")
        names = [*OWN, *dict.fromkeys(name for row in rows for name in row if name not in OWN)]
        columns = []
        for name in names:
            try:
                columns.append(pa.array([row.get(name) for row in rows]))
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise DatasetError(f"{self.out}: column {name!r} holds values of several types: {error}") from error
        table = pa.table(dict(zip(names, columns, strict=True))).replace_schema_metadata(dict(about))
        with replacing(self.out, durable=False) as file:
            parquet.write_table(table, file)


def rows_with(recording: Iterable[Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with the columns `OWN` before the others."""
    own = dict(zip(OWN, recording, strict=True))
    return [{**own, **row} for row in rows]
