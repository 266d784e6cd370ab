"""A long, coverage-guided search for bytes that make a parser raise anything but PacketError.

pip install 'pulselet[fuzz]'
python benchmarks/fuzz.py -max_total_time=600 -max_len=300

The first byte picks the parser. What follows the script's name goes to libFuzzer; a failure leaves the bytes in a file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.append(str(Path(__file__).parents[1] / "tests" / "packets"))
with atheris.instrument_imports(include=["pulselet"]):
    from parsers import PARSERS

    from pulselet.errors import PacketError

EACH = list(PARSERS.values())


def one(data: bytes) -> None:
    """Try one input."""
    if not data:
        return
    try:
        EACH[data[0] % len(EACH)](data[1:])
    except PacketError:
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
