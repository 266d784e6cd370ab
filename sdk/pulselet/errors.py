"""One root error and its few children.

A message says what was wanted, what came, and what to do about it.
"""

from __future__ import annotations


class PulseletError(Exception):
    """Root of everything that Pulselet raises on purpose."""


class PacketError(PulseletError):
    """Bytes that are not what the format says; `payload` holds them."""

    def __init__(self, message: str, payload: bytes = b"") -> None:
        super().__init__(message)
        self.payload = payload


class DeviceError(PulseletError):
    """A device that is absent, silent, lost or refuses; `reason` is a short machine-readable word."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class RecordingError(PulseletError):
    """A recording file that cannot be opened, read or written as asked."""


class RecordingBusyError(RecordingError):
    """Another program is writing to the recording just now; later it will go."""


class DatasetError(PulseletError):
    """A data set that is absent, incomplete or not what its checksum says."""


class PipelineError(PulseletError):
    """A stage or pipeline that does not fit its signal, or an array that does not fit the pipeline."""


class LeakError(PipelineError):
    """A test side that is not unseen; `kinds` holds the short name of each leak that was found."""

    def __init__(self, message: str, kinds: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.kinds = kinds


class ModelError(PulseletError):
    """A net that cannot be trained, read, quantised or run as asked."""


class ExportError(PulseletError):
    """A bundle that cannot be written, built, run or verified."""


class ParityError(ExportError):
    """Two executions that must agree and do not; the message names the first difference."""


NOTES = {"tflite_micro": " (its wheels exist for Linux on x86-64 only)"}


class MissingExtraError(PulseletError):
    """An optional dependency that is not installed; `extra` is the name to install."""

    def __init__(self, package: str, extra: str) -> None:
        note = NOTES.get(package, "")
        super().__init__(
            f"this needs the package {package!r}, which is not installed: pip install 'pulselet[{extra}]'{note}"
        )
        self.package = package
        self.extra = extra
