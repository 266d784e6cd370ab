"""What bleak and the operating system raise, as one of our errors that names the next step."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)

from pulselet.errors import DeviceError

_FREEDESKTOP = "org.freedesktop.DBus.Error."
SERVICE_ABSENT = frozenset(
    _FREEDESKTOP + name for name in ("ServiceUnknown", "NameHasNoOwner", "NoServer", "UnknownObject")
)
DENIED = frozenset({_FREEDESKTOP + "AccessDenied", _FREEDESKTOP + "AuthFailed"})
UNPAIRED = frozenset(
    f"org.bluez.Error.{name}" for name in ("NotPermitted", "NotAuthorized", "AuthenticationFailed", "NotPaired")
)
BUSY = frozenset(f"org.bluez.Error.{name}" for name in ("InProgress", "AlreadyConnected"))
# what BlueZ says in the text of an error, whatever its name; its newer versions spell some of them another way
SAID = {
    "busy": "busy",
    "notify acquired": "busy",  # another program has the notifications
    "key-missing": "pairing",
    "keymissing": "pairing",
    "not-powered": "off",
    "notpowered": "off",
}
UNPAIRED_CODES = frozenset(
    {
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHORIZATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
    }
)
NEXT_STEP = {
    "no-adapter": "plug in a Bluetooth adapter, or see whether the Bluetooth service is running",
    "off": "switch Bluetooth on",
    "permission": "allow this program, or the terminal that it runs in, to use Bluetooth",
    "not-found": "is it on, charged, worn, near, and not connected to something else?",
    "busy": "disconnect it from the phone or program that holds it, and try again",
    "pairing": "pair it in the system's Bluetooth settings, and try again",
    "refused": "switch it off and on, and try again",
    "disconnected": "come nearer, or charge it",
    "silent": "come nearer, or switch it off and on",
}
_UNAVAILABLE = {
    BleakBluetoothNotAvailableReason.POWERED_OFF: "off",
    BleakBluetoothNotAvailableReason.DENIED_BY_USER: "permission",
    BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: "permission",
    BleakBluetoothNotAvailableReason.DENIED_BY_UNKNOWN: "permission",
}


def told(subject: str, reason: str, detail: object = "") -> DeviceError:
    """Return an error about `subject`: what is wrong, in bleak's words, and what to do about it."""
    said = f": {detail}" if str(detail) else ""
    return DeviceError(f"{subject}{said} ({NEXT_STEP[reason]})", reason)


def require_signals(subject: object, known: Collection[str], names: Collection[str]) -> None:
    """Raise DeviceError ("no-signal") if one of the names is not known."""
    for name in names:
        if name not in known:
            raise DeviceError(f"{subject} has no signal {name!r}; it has {sorted(known)}", "no-signal")


@contextlib.contextmanager
def own_errors(device: str = "Bluetooth") -> Iterator[None]:
    """Turn what bleak and the system raise in the block into a DeviceError with a reason."""
    try:
        yield
    except asyncio.TimeoutError as error:
        raise told(device, "not-found", "was heard but does not answer in time") from error
    except BleakDeviceNotFoundError as error:
        raise told(device, "not-found", f"was heard but does not answer, {error}") from error
    except BleakError as error:
        raise _of_bleak(device, error) from error
    except EOFError as error:
        raise told("this computer's Bluetooth service has gone away", "no-adapter", error) from error
    except PermissionError as error:
        raise told("this computer's Bluetooth service", "permission", error) from error
    except OSError as error:
        raise told("this computer's Bluetooth service does not answer", "no-adapter", error) from error


def _of_bleak(device: str, error: BleakError) -> DeviceError:
    if isinstance(error, BleakBluetoothNotAvailableError):
        reason = _UNAVAILABLE.get(error.reason, "no-adapter")
        return told("this computer has no usable Bluetooth", reason, error.args[0])
    if isinstance(error, BleakGATTProtocolError):
        return told(device, "pairing" if error.code in UNPAIRED_CODES else "refused", error.args[1])
    if isinstance(error, BleakDBusError):
        return _of_dbus(device, error)
    if str(error).startswith("adapter "):  # BlueZ has no adapter of this name
        return told("this computer's Bluetooth", "no-adapter", error)
    if str(error).endswith("not found"):  # BlueZ has forgotten it between scan and connection
        return told(device, "not-found", error)
    return told(device, "refused", error)


def _of_dbus(device: str, error: BleakDBusError) -> DeviceError:
    name, text = error.dbus_error, str(error).partition(";")[0]  # the bus daemon goes on with its whole rule book
    if name in SERVICE_ABSENT:
        return told("this computer's Bluetooth service does not answer", "no-adapter", text)
    if name in DENIED:
        return told("this computer's Bluetooth service", "permission", text)
    if name == "org.bluez.Error.NotReady":
        return told("this computer's Bluetooth", "off", text)
    for words, reason in SAID.items():
        if words in f"{name} {text}".lower():
            return told(device, reason, text)
    if name in UNPAIRED:
        return told(device, "pairing", text)
    if name in BUSY:
        return told(device, "busy", text)
    return told(device, "refused", text)
