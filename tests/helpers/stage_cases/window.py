from __future__ import annotations

from pulselet.signal.stage import Format
from pulselet.signal.window import Window
from stage_cases import Case

CASES = [
    Case(Window(2.0, 0.5), Format(50.0, 3, "g")),
    Case(Window(0.4, 1.0), Format(25.0, 2, "a.u.")),  # a hop longer than the window
]
