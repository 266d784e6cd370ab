"""Which candidates are R peaks, and when that is said: a net of whole numbers that knows the beats before.

The second half of `ecg_peaks.py`, where the method and its sources are described.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]

REFRACTORY_S, WAIT_S = 0.2, 0.3
OVERDUE_S = 1.8  # search-back after 1.6 usual intervals, and no later than this
KEPT = 8  # candidates looked back at
BEATS = 7  # whose levels and intervals are remembered
STATIC, DYNAMIC, HIDDEN = 53, 8, 16  # inputs of the net: of the signal, of the beats before; its hidden layer
UNIT = 4096  # of scores: log odds of 1
SURE, MAYBE, LEAST = 3 * UNIT // 2, 0, -2 * UNIT
SMALL, SAME, STEADY, ALIKE = -600, 150, 100, 180  # 256 log2 of levels and intervals; likeness
NET = (
    "{{j2_`~d|73jqK8`~Us_{s9351qcHE0RRC4|MdL!2LS}?1`+uI{sjU5{QLn1|NkBU16hI9_WU6H_X!;b3<LNQ2=U|*`T7(95$Ejf6(bk)`SBkd?B"
    "eJ7C1(@>x&kdBu>12A9R&g|!{)Ygc3UBufwmCv?G^RVu-*D4Hr%wb;?e&v5&yxgB||C}4cYhY0{9Q*3dvtb8sn#r?v&n|<j^1)EWjHV4Sxst7o6q"
    "yAHDqm000000000000000000000000000000000000000000000000000000000000000000000000000^aTkS6THgv4GuUF=*6zn0!=I10oeBq`"
    "{BdQ74$1#eF*Ziz2e*8599h54lDZ~5d4toC4ZAG!7mBY*$o>E68io401*KF@AwV)1pXKM?+qyw3mFXk`2g|m_R9+C0_Y1Dfdusf814B0CJzBK-sl"
    "qUALs!I_vHWj1O4;}`3(ID82tF`0SnaN>geD4{t^801orI%`4IyZ7X%aq{p$V@01F891^ERAfdvl&1`Hbn$^sD={{sjD6XyX32IK$%>;5~{^z-cJ"
    ">A(2$?)dZX6XE^(3Ig?MH4*;;%>S0d4C(#(A%QeA{{`~s`0MSN>hId$_x1`B6BHjE2=@sI7aA=k1n%wd_WKnD>;e(_(fI#19t6o&`W^lI6*>;(-0"
    "XiG5ghS7OaJ}D5&;4P3IqlJ{rL9;0sHv?0}u`h4FT-=3H<!{3K9PW`?~}55byLE!v6B?KmO$B0|pZ*`~TcKf6W8j9rHIB6$AXt_b~_5w7Wql+Y~z"
    "Av*PK}f%5?X`~4UN;;7B%teE%YJ>>Z56!HS|1ODdcZrtl1-tZU;9`r;B`W5-x00!*=`!6>S9O@YqA1)K@_|y9J^6m`x0rC;B=GNwBRvOw4$sK|63"
    "*{jF+j%Mw?j!sfDlQ242L%HE1pfO90RapE3;y%==<@{u`vL0v1@aC0=>`PbF#7}Xe=zt#{09i(%;?K71rlfl1h+1tUjqCs-reNj;m_>)1N7<b+!_"
    "NH*reeW`0fJq`330o2HF$n{Ua(8;u9D4`up(#w-*Ba-T(!Gj<)gI$rk<H1kDEzBO3h@B_%x<ANB|g>kL2_3h@sA9q<J84eRB^6#+Er^17)A><<$P"
    "`vL<7F2@P??hX>TCV|`rGY202`S<hp1^oaHCI7qO6bc!nujdox1^Md#1N-gmD)BZ2A{z(-ECUEAC?vuq!`kN_0)Z9&8Rh!W{{A7!n*sm;whRCOy2"
    "1bd6-)g8)!6_41`z-N1P1^BrWODI3l;zXX$b%T8R!51#3uj%+Xnyu^aB6@y8{3K^$-96*8l(jB>(^b6951J000007ytkO#{d8SYXATL&;S4b#Q*>"
    "Qwg3PB>i_@$;{X5uTmS$7tpET28UO$Qu>b%6%#Hv5"
)


def log_ratio(x: Any) -> Ints:
    """Return 256 log2(x) and a constant, roughly, of float32 x >= 0: its own bits."""
    return cast("Ints", np.asarray(x, np.float32).view(np.int32) >> 15)


LOG = [0, *log_ratio(np.arange(1, 8192)).tolist()]


@dataclass(frozen=True, eq=False)
class Net:
    """Whole-number weights `(hidden, inputs)`, biases and output weights `(hidden,)`, and the output's bias."""

    weights: NDArray[np.int8]
    bias: Ints
    out: Ints
    out_bias: int

    @staticmethod
    def unpack(text: str) -> Net:
        """Return the net from base 85: the weights as int8, then the rest as little-endian int32."""
        raw, size = base64.b85decode(text), HIDDEN * (STATIC + DYNAMIC)
        rest = np.frombuffer(raw, "<i4", offset=size).astype(np.int32)
        weights = np.frombuffer(raw, np.int8, size).reshape(HIDDEN, -1)
        return Net(weights, rest[:HIDDEN], rest[HIDDEN : 2 * HIDDEN], int(rest[-1]))

    def __post_init__(self) -> None:
        # sums of whole numbers in float64 are exact in whatever order, so products of matrices may be used
        exact = self.weights.astype(np.float64)
        object.__setattr__(self, "from_static", np.ascontiguousarray(exact[:, :STATIC].T))
        object.__setattr__(self, "from_dynamic", np.ascontiguousarray(exact[:, STATIC:]))
        object.__setattr__(self, "to_score", self.out.astype(np.float64))

    def hidden(self, static: Ints) -> NDArray[np.float64]:
        """Return what the static inputs `(n, STATIC)` give to the hidden layer `(n, hidden)`."""
        return cast("NDArray[np.float64]", static.astype(np.float64) @ self.from_static + self.bias)  # type: ignore[attr-defined]

    def score(self, hidden: NDArray[np.float64], dynamic: tuple[int, ...]) -> int:
        """Return the log odds of a beat in `UNIT`s."""
        active = np.maximum(hidden + self.from_dynamic.dot(dynamic), 0.0)  # type: ignore[attr-defined]
        return int((active.dot(self.to_score) + self.out_bias) / 256)  # type: ignore[attr-defined]


@cache
def trained_net() -> Net:
    """Return the net of `RPeaks`."""
    return Net.unpack(NET)


class Candidate(NamedTuple):
    """A peak of the envelope: its number, time at the low rate, levels, R peak (sample) and amplitude."""

    number: int
    time: int
    level: int
    high: int
    r: int
    amplitude: float
    score: int = 0


@dataclass
class Memory:
    """What has been decided; times are samples at the low rate."""

    usual: int  # interval
    last: int = -1  # time of the last beat; -1 at the start and after a gap
    last_r: int = 0  # its sample
    levels: list[int] = field(default_factory=list)
    highs: list[int] = field(default_factory=list)
    intervals: list[int] = field(default_factory=list)
    high_level: int = 0  # the second highest of `levels`
    high_high: int = 0
    refused: list[Candidate] = field(default_factory=list)
    best: int = -1  # the highest level refused since the last beat
    pending: Candidate | None = None
    free: int = 0  # the earliest time at which a timer may fire

    def copy(self) -> Memory:
        lists = {name: getattr(self, name)[:] for name in ("levels", "highs", "intervals", "refused")}
        return replace(self, **lists)


Taken = tuple[Candidate, int, bool, int]
"""A beat, when it was accepted, whether the one before is known, and its sample."""


class Decisions:
    """The part that knows the beats before: which candidates are beats, and when that is said."""

    def __init__(self, low_hz: float, apart: int, net: Net) -> None:
        self.net = net
        self.apart = apart
        self.refractory = round(REFRACTORY_S * low_hz)
        self.wait = round(WAIT_S * low_hz) + apart + 1
        self.overdue = round(OVERDUE_S * low_hz)
        self.second = round(low_hz)
        self.usual = round(0.8 * low_hz)
        self.cold = LOG[round(0.4 * low_hz)]

    def timers(self, m: Memory, now: int, found: list[Taken]) -> None:
        """Take what is due up to `now`: a candidate that has waited long enough, or the best refused."""
        while True:
            if m.pending is not None:
                chosen, due = m.pending, m.pending.time + self.wait
            elif m.last >= 0 and m.refused:
                chosen = max(m.refused, key=lambda c: c.score)  # the oldest of equals
                if chosen.score <= LEAST:
                    return
                due = m.last + min(m.usual * 8 // 5, self.overdue)
            else:
                return
            due = max(due, m.free)
            if due > now:
                return
            if chosen is m.pending:
                m.pending = None
            self.take(m, chosen, due, found)
            m.free = due + 1

    def take(self, m: Memory, c: Candidate, now: int, found: list[Taken]) -> None:
        """Accept a candidate."""
        found.append((c, now, m.last >= 0, m.last_r))
        if m.last >= 0:
            interval = c.time - m.last
            if interval < 2 * self.second:
                m.intervals = [*m.intervals[1 - BEATS :], interval]
                m.usual = sorted(m.intervals)[len(m.intervals) // 2]
        m.last, m.last_r = c.time, c.r
        m.levels.append(c.level)
        m.highs.append(c.high)
        if len(m.levels) > BEATS:
            del m.levels[0], m.highs[0]
        second = -2 if len(m.levels) > 2 else -1
        m.high_level = sorted(m.levels)[second]
        m.high_high = sorted(m.highs)[second]
        m.best = -1
        if m.refused:
            m.refused = [r for r in m.refused if r.time >= c.time + self.refractory]
            m.best = max((r.level for r in m.refused), default=-1)

    def weigh(self, m: Memory, number: int, values: list[Any], hidden: Any, found: list[Taken]) -> None:
        """Decide about candidates `(time, level, high, r, amplitude, likeness)`, each `apart` samples after it."""
        for i, (time, level, high, r, amplitude, likeness) in enumerate(values):
            if m.pending is not None or m.refused:
                self.timers(m, time + self.apart, found)
                m.free = time + self.apart + 1
                if m.refused and m.refused[0].number <= number + i - KEPT:
                    del m.refused[0]
            interval = time - m.last if m.last >= 0 else self.second
            if interval < self.refractory or amplitude <= 0:
                continue
            known = len(m.levels) == BEATS
            lower, fainter = level - m.high_level, high - m.high_high
            if known and lower < SMALL and fainter < SMALL:
                continue
            c = Candidate(number + i, time, level, high, r, amplitude)
            plain = known and -SAME < lower < SAME and -SAME < fainter < SAME and likeness > ALIKE
            if plain and abs(LOG[min(interval, 8191)] - LOG[m.usual]) < STEADY:  # a beat like those before
                m.pending = None
                self.take(m, c, time + self.apart, found)
            else:
                self.doubt(m, c._replace(score=self.net.score(hidden[i], self.inputs(m, c, interval))), found)

    def doubt(self, m: Memory, c: Candidate, found: list[Taken]) -> None:
        """Accept a candidate with a score, let it wait, or refuse it."""
        if c.score > SURE:
            m.pending = None
            self.take(m, c, c.time + self.apart, found)
            return
        other: Candidate | None = c
        m.free = c.time + self.apart + 1
        if c.score > MAYBE and (m.pending is None or c.score > m.pending.score):
            m.pending, other = c, m.pending
        if other is not None:
            m.refused = sorted([*m.refused, other])
            m.best = max(m.best, other.level)

    def inputs(self, m: Memory, c: Candidate, interval: int) -> tuple[int, ...]:
        """Return the inputs of the net that depend on the beats before."""
        log = LOG[min(interval, 8191)]
        late = min(max(log - LOG[m.usual], -768), 512)
        level = high = 0
        if m.levels:
            level = min(max(c.level - m.high_level, -1024), 1024)
            high = min(max(c.high - m.high_high, -1024), 1024)
        above = min(max(c.level - m.best, -1024), 1024)
        cold = min(max(log - self.cold, -768), 512)
        return (late, max(0, -late), max(0, late), cold, above, 32 * len(m.levels), level, high)
