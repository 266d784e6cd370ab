"""Home-made boards on the Nordic UART service: rows of numbers that the user declares."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pulselet.device.link import Link
from pulselet.device.sources.source import Source
from pulselet.packets import uart
from pulselet.packets.uart import Declaration, Row, StructFormat, TextLines, UartFormat
from pulselet.stream.block import DISCONNECTED, LOST, Block, Gap, Signal
from pulselet.stream.count import Count
from pulselet.stream.pace import EARLY_S, Pace


class UartSource(Source):
    """One signal, in rows.

    Parameters
    ----------
    declaration
        What a notification holds: records of a struct layout, or lines of text.
    name
        What to call the signal.
    rate_hz
        Rows a second; None if each row is an event of its own.

    Attributes
    ----------
    malformed
        Bad lines among good ones, which were passed over; a notification without a good one is refused.

    Without a counter among the declared fields, loss cannot be detected. With a counter that goes round after fewer
    than 65,536 rows, what a disconnection cost is known only if there is a rate, the stream has run for some seconds
    before, and the arrivals leave no doubt how often the counter went round; else the gap has no size.
    """

    title = "Nordic UART"

    def __init__(
        self, declaration: StructFormat | TextLines, *, name: str = "uart", rate_hz: float | None = None
    ) -> None:
        super().__init__()
        self._declaration: Declaration = declaration
        self._format = UartFormat(declaration)
        self._name = name
        self._resumed = False
        self._pace = Pace()
        self.malformed = 0
        self._signal = Signal(
            name, declaration.unit, rate_hz, declaration.channels, loss_detectable=declaration.loss_detectable
        )
        self.signals = {name: self._signal}
        self.counts = {name: Count()}

    @classmethod
    def fits(cls, link: Link) -> bool:
        return uart.SERVICE in link.services

    @property
    def characteristics(self) -> Collection[str]:
        return (uart.NOTIFY,)

    @property
    def facts(self) -> dict[str, str]:
        return {f"{self._name} format": str(self._declaration)}

    @property
    def interval_s(self) -> float | None:
        return None if self._signal.rate_hz is None else max(1.0, 20 / self._signal.rate_hz)

    async def prepare(self, link: Link) -> None:
        """Nothing can be asked."""

    async def start(self, link: Link, names: Collection[str]) -> None:
        self._format = UartFormat(self._format.declaration)
        self._resumed = False
        self._pace = Pace()
        self.malformed = 0
        self.counts = {self._name: Count()}
        await link.subscribe(uart.NOTIFY)

    async def resume(self, link: Link) -> None:
        self._format.resume()
        self._resumed = True
        await link.subscribe(uart.NOTIFY)

    def feed(self, uuid: str, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        found: list[Block | Gap] = []
        together: list[tuple[float, ...]] = []
        before = self._count.expected
        for row in self._rows(data, arrival_ns):
            gap = self._gap(row)
            if gap is not None:
                found += self._block(together, arrival_ns)
                found.append(gap)
                together = []
            if self._is_new(row):
                together.append(row.values)
                self._count.received += 1
        if self._count.expected > before and self._signal.rate_hz is not None:
            self._pace.follow((self._count.expected - before) / self._signal.rate_hz, arrival_ns)
        return found + self._block(together, arrival_ns)

    def _rows(self, data: bytes, arrival_ns: int) -> list[Row]:
        malformed, rate_hz = self._format.malformed, self._signal.rate_hz
        window_s = self._pace.window_s(arrival_ns, late_s=EARLY_S)
        away = None if window_s is None or rate_hz is None else (window_s[0] * rate_hz, window_s[1] * rate_hz)
        rows = self._format.feed(data, away)
        self.malformed += self._format.malformed - malformed
        return rows

    @property
    def _count(self) -> Count:
        return self.counts[self._name]

    def _is_new(self, row: Row) -> bool:
        """Whether a row is the one expected; one that came before is counted as such."""
        new = row.index is None or row.index >= self._count.expected
        self._count.repeated += not new
        return new

    def _gap(self, row: Row) -> Gap | None:
        resumed, self._resumed = self._resumed, False
        expected = self._count.expected
        if row.torn:
            self._pace = Pace()
        if row.index is None or row.torn:
            unknown = resumed or row.torn
            return Gap(self._signal, expected, None, DISCONNECTED) if unknown else None
        lost = row.index - expected
        if lost <= 0:
            return None
        self._count.lost += lost
        return Gap(self._signal, expected, lost, DISCONNECTED if resumed else LOST)

    def _block(self, rows: list[tuple[float, ...]], arrival_ns: int) -> list[Block | Gap]:
        if not rows:
            return []
        values = np.array(rows, np.float32)
        return [Block(self._signal, values, self._count.expected - len(rows), None, arrival_ns)]
