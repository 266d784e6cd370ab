"""A private message bus and a Bluetooth service on it, for bleak's own BlueZ backend."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pulselet.device.virtual import VirtualDevice
from pulselet.device.virtual_radio import VirtualRadio

if TYPE_CHECKING:
    from bridge import Bridge

    Room = Callable[..., AbstractAsyncContextManager[Bridge]]

collect_ignore = ["bridge.py"]  # it imports what exists on Linux only

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:dir={folder}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    {rule}
  </policy>
</busconfig>
"""


@contextmanager
def message_bus(rule: str = "") -> Iterator[str]:
    """Run a message bus of our own; yield its address."""
    if sys.platform != "linux":
        pytest.skip("BlueZ is Linux's Bluetooth service")
    program = shutil.which("dbus-daemon")
    if program is None:
        pytest.skip("bleak's BlueZ backend needs a message bus: install dbus-daemon (so it is called on Debian, too)")
    with tempfile.TemporaryDirectory(prefix="bus") as folder:
        config = Path(folder, "bus.conf")
        config.write_text(CONFIG.format(folder=folder, rule=rule))
        command = [program, f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
            assert daemon.stdout is not None
            try:
                address = daemon.stdout.readline().strip()
                assert address, "dbus-daemon did not start; what it said is above"
                yield address
            finally:
                daemon.terminate()


@pytest.fixture(scope="session")
def open_bus() -> Iterator[str]:
    """Address of a bus on which everybody may do everything."""
    with message_bus() as address:
        yield address


@pytest.fixture
def system_bus(open_bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the open bus the system's."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", open_bus)


@pytest.fixture
def guarded_bus(system_bus: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make a bus the system's on which this user may not talk to the Bluetooth service."""
    with message_bus('<deny send_destination="org.bluez"/>') as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield


@pytest.fixture(scope="session")
def bluez(open_bus: str) -> Room:
    """Return what runs devices and a Bluetooth service that hears them: `async with bluez(watch) as bridge`."""
    spec = importlib.util.spec_from_file_location("bluez_bridge", Path(__file__).with_name("bridge.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    @asynccontextmanager
    async def room(*devices: VirtualDevice, **options: Any) -> AsyncIterator[Bridge]:
        radio = VirtualRadio()
        for device in devices:
            await device.start(radio)
        try:
            async with module.Bridge(radio, **options) as bridge:
                yield bridge
        finally:
            await forget_manager()
            for device in devices:
                await device.stop()

    return room


async def forget_manager() -> None:
    """Close the bus connection that bleak keeps for each event loop, as it never does itself."""
    from bleak.backends.bluezdbus import manager

    kept = manager._global_instances.pop(asyncio.get_running_loop(), None)
    if kept is not None and kept._bus is not None:
        kept._bus.disconnect()
        await kept._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
