"""Time that the lab did not get: the host has stopped the guest, or has taken its CPU away for a while.

Scenarios measure time, and what the host does is nobody's fault in the lab. A process here looks at the clock every 50 ms
and adds up the pauses in which it could not, although it comes before all others; the host tells how long others had its
CPU ("steal", as a virtual machine sees it). Both are printed beside every verdict, and added to the limits of
lab.wait() and of what asks since().

The numbers are in memory that is shared with whatever the agent starts after this has been imported.
"""
import mmap
import os
import struct
import time

ROUND_S, PAUSE_S = 0.05, 0.1  # shorter pauses are the guest's own: a fork takes as long
NUMBERS = struct.Struct("ddd")  # sum of the pauses, the longest since forget(), sum of what was stolen; in seconds
shared = mmap.mmap(-1, NUMBERS.size)


def watch():
    """Starts the process that looks at the clock."""
    if os.fork():
        return
    os.nice(-10)
    before = time.monotonic()
    while True:
        time.sleep(ROUND_S)
        now = time.monotonic()
        late, before = now - before - ROUND_S, now
        if late > PAUSE_S:
            paused, longest, _ = NUMBERS.unpack(shared)
            struct.pack_into("dd", shared, 0, paused + late, max(longest, late))


def tell_stolen(seconds):
    """What the host says, since the guest began."""
    struct.pack_into("d", shared, 16, seconds)


def now():
    """A mark for since()."""
    paused, _, stolen = NUMBERS.unpack(shared)
    return paused, stolen


def since(mark):
    """Seconds that were lost since then: a pause may have been stolen, and is not counted twice."""
    return max(after - before for before, after in zip(mark, now()))


def forget():
    """The longest pause is that from here on."""
    struct.pack_into("d", shared, 8, 0.0)


def longest():
    return NUMBERS.unpack(shared)[1]
