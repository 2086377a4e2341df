"""Endurance: nothing lost, nothing doubled, nothing mixed, whatever is killed and however full.

    python benchmarks/endurance.py kills --count 2000 [--server 15] [--pooler]
    python benchmarks/endurance.py writers|states|cycles|full-disk …

    kills      kill -9 of ingest, recorder, build, withdraw, purge, run and the server: what was
               acknowledged is there once, the last value of each run is current, and the marts
               equal those of the same without any kill
    writers    16 processes that write, with builds, purge, withdraw and init at once: equal to
               the same one after the other; --count is the number of builds
    states     answers of the commands while builds of changing data run and are killed: each is
               of one state that existed; --count is the number of builds
    cycles     a small ingest and a build, again and again: nothing grows but data
    full-disk  a disk without room for database, spool and files: a sentence, exit code 4, and
               the same command completes when there is room

Exits with 1 if anything was found; prints what.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module

from endurance_place import import_everything, place

# Subcommand → its module, its usual count.
SUBJECTS = {
    "kills": ("endurance_kills", 2000),
    "writers": ("endurance_writers", 30),
    "states": ("endurance_states", 60),
    "cycles": ("endurance_cycles", 500),
    "full-disk": ("endurance_disk", 12),
}


def main() -> int:
    """Run one subject; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--count", type=int)
    parser.add_argument("--server", choices=["18", "15"], default="18")
    parser.add_argument("--pooler", action="store_true", help="through PgBouncer")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    count = asked.count or SUBJECTS[asked.subject][1]
    faults = run(asked.subject, count, asked.server, pooled=asked.pooler, seed=asked.seed)
    for fault in faults:
        print(f"  WRONG: {fault}")
    return 1 if faults else 0


def run(subject: str, count: int, server: str, *, pooled: bool = False, seed: int = 1) -> list[str]:
    """Run one subject of a size; return what was found to be wrong."""
    module = import_module(SUBJECTS[subject][0])
    import_everything()
    began = time.monotonic()
    way = "through PgBouncer" if pooled else "direct"
    print(f"{subject}: {count:,}, PostgreSQL {server}, {way}", flush=True)
    with place(server, pooled=pooled) as here, here.database("endured") as url:
        faults: list[str] = getattr(module, subject.replace("-", "_"))(here, url, count, seed)
    said = f"{len(faults)} faults" if faults else "nothing wrong"
    print(f"{subject}: {said}, {time.monotonic() - began:.0f} s", flush=True)
    return faults


if __name__ == "__main__":
    sys.exit(main())
