# SPDX-License-Identifier: Apache-2.0
"""The list of faults. Each says what is done, how, and what must hold besides the invariants; TABLE.md is made of that."""

import collections

Fault = collections.namedtuple("Fault", "name group how asserts begin embedded run")
FAULTS = {}


def fault(name, how, asserts, begin="up", embedded=False):
    """`begin`: the guest is "up" or "down" when run(world) is called; what that returns is printed."""
    def add(run):
        if name in FAULTS:
            raise ValueError(f"two faults {name}")
        FAULTS[name] = Fault(name, run.__module__, how, asserts, begin, embedded, run)
        return run
    return add
