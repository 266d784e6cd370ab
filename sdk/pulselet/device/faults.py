"""What goes wrong with a virtual device: a plan made beforehand, so that a test knows the truth."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

POWER_OFF, CONNECTION_TIMEOUT, REMOTE_USER, LOW_RESOURCES = 0x15, 0x08, 0x13, 0x14
REASONS = (CONNECTION_TIMEOUT, REMOTE_USER, LOW_RESOURCES, POWER_OFF, 0x16, 0x1F, 0x22, 0x3B, 0x3D, 0x3E)
"""HCI error codes with which links end (Bluetooth Core 5.4, volume 1, part F)."""


@dataclass(frozen=True)
class Faults:
    """Faults by number of the notification, counted from 0 over all streams, whether it could be sent or not.

    Attributes
    ----------
    drop
        Never arrive.
    repeat
        Arrive twice.
    delay
        Arrive so many device seconds later, after those that follow.
    truncate
        Are cut to so many bytes.
    clock_back
        Bear a device time that is so many seconds too early.
    silent
        From here on the device says nothing, until the link is made anew.
    disconnect
        Instead of this one the link ends, with this HCI reason.
    """

    drop: frozenset[int] = frozenset()
    repeat: frozenset[int] = frozenset()
    delay: Mapping[int, float] = field(default_factory=dict)
    truncate: Mapping[int, int] = field(default_factory=dict)
    clock_back: Mapping[int, float] = field(default_factory=dict)
    silent: frozenset[int] = frozenset()
    disconnect: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def drawn(
        cls,
        seed: int,
        notifications: int,
        *,
        drop: float = 0.0,
        repeat: float = 0.0,
        delay: float = 0.0,
        clock_back: float = 0.0,
        disconnects: int = 0,
    ) -> Faults:
        """Return a plan drawn at random: shares of the notifications, and a number of disconnects with any reason.

        A notification has one fault at the most. Delays last up to 2 s, steps of the clock up to 0.15 s.
        """
        draw = random.Random(seed)
        ends = sorted(draw.sample(range(notifications), disconnects))
        kinds: dict[str, list[int]] = {"drop": [], "repeat": [], "delay": [], "clock_back": []}
        shares = drop, repeat, delay, clock_back
        for number in set(range(notifications)).difference(ends):
            (kind,) = draw.choices([*kinds, ""], [*shares, 1 - sum(shares)])
            if kind:
                kinds[kind].append(number)
        return cls(
            drop=frozenset(kinds["drop"]),
            repeat=frozenset(kinds["repeat"]),
            delay={number: draw.uniform(0, 2) for number in kinds["delay"]},
            clock_back={number: draw.uniform(0, 0.15) for number in kinds["clock_back"]},
            disconnect={number: draw.choice(REASONS) for number in ends},
        )
