"""What each stage costs on a Cortex-M4F: flash, state, instructions for a second of signal.

    python benchmarks/stage_cost.py [--json] [--only NAME ...]

Every configuration that the tests put through the conformance battery, compiled with -Os for flash and -O2 for
instructions, and run on an emulated core over the battery's own signal. Flash counts code and tables of the stage
alone, each with its own copy of the shared functions. An instruction is not a cycle: loads,
divisions and taken branches take more than one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "helpers"))

from stage_cases import Case, all_cases

from pulselet.signal.describe import brief
from pulselet_firmware.kernels import CoreKernels, footprint

COUNTED_ROWS = 1500
HEADING = """# What each stage costs

Made by `python benchmarks/stage_cost.py > docs/stage-costs.md`: each configuration of the conformance battery,
alone, on a Cortex-M4F. Flash with -Os, code and tables of the stage and of what it shares; instructions with
-O2 on an emulated core, over the battery's own signal. An instruction is not a cycle: loads, divisions and taken
branches take more than one.

"""


def measure(case: Case) -> dict[str, Any]:
    """Return the costs of one stage."""
    kernel = case.kernel
    flash, state = footprint(kernel)
    core = CoreKernels({"kernel": kernel})
    core.count(True)
    rows = case.signal(case.source, case.rows, 0)[:COUNTED_ROWS]
    core.run("kernel", [rows])
    each = core.instructions / len(rows)
    return {
        "stage": brief(case.stage),
        "source": str(case.source),
        "flash_bytes": flash,
        "state_bytes": state,
        "stack_bytes": core.stack_bytes,
        "instructions_per_row": each,
        "instructions_per_s": None if case.source.rate_hz is None else each * case.source.rate_hz,
    }


def table(found: list[dict[str, Any]]) -> str:
    """Return the costs as a table for a document."""
    lines = [
        "| stage | input | flash, B | state, B | stack, B | instructions per row | per second of signal |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    for one in found:
        per_s = "-" if one["instructions_per_s"] is None else f"{one['instructions_per_s']:,.0f}"
        lines.append(
            f"| `{one['stage']}` | {one['source']} | {one['flash_bytes']:,} | {one['state_bytes']:,} "
            f"| {one['stack_bytes']:,} | {one['instructions_per_row']:,.0f} | {per_s} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", nargs="*", help="names of stages, such as RPeaks")
    arguments = parser.parse_args()
    cases = [case for case in all_cases() if not arguments.only or type(case.stage).__name__ in arguments.only]
    found = []
    for i, case in enumerate(cases):
        print(f"{i + 1} of {len(cases)}: {case.stage!r}", file=sys.stderr, flush=True)
        found.append(measure(case))
    print(json.dumps(found, indent=1) if arguments.json else f"{HEADING}{table(found)}")


if __name__ == "__main__":
    main()
