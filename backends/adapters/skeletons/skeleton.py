"""An adapter for hostmem. Fill in Manager, then: hostmem agent --validate 'python3 THIS_FILE'.

VALIDATE.md of hostmem has every method with its numbers. Take a method out of Manager if your
implementation has nothing like it, and its capability out of ABOUT: then it is never asked.
"""
import json
import sys

REFUSED = [120]  # ERROR_CALL_NOT_IMPLEMENTED: what everything here answers until you fill it in


class Manager:
    """One address space; hostmem opens a fresh one for each case. Numbers come as ints."""

    ABOUT = {"protocol": 1, "name": "YOUR NAME", "version": "1", "homepage": "https://…",
             "page": 4096, "granularity": 65536, "errors": "win32", "capabilities": ["query"]}

    def VirtualAlloc(self, address, size, kind, protect, critical):
        return REFUSED  # YOUR CODE: [0, the address]

    def VirtualFree(self, address, size, kind):
        return REFUSED  # YOUR CODE: [0]

    def VirtualProtect(self, address, size, protect, old):
        return REFUSED  # YOUR CODE: [0, the old protection]

    def VirtualQuery(self, address, length, buffer):
        return REFUSED  # YOUR CODE: [0, BaseAddress, AllocationBase, AllocationProtect, …]


# From here on nothing needs to be changed.
NAMES = ("Echo VirtualAlloc VirtualFree VirtualQuery VirtualProtect CreateMalloc Alloc DebugAlloc "
         "Free GetMemoryLoad RegisterMemoryNotificationCallback NeedsVirtualAddressSpace "
         "AcquiredVirtualAddressSpace ReleasedVirtualAddressSpace Read Write Execute GetWriteWatch "
         "ResetWriteWatch SetMemoryLoad").split()
ADDRESS_AT = {5: None, 6: None, 7: None, 8: 1, 9: None, 10: None, 19: None}  # elsewhere: first


def call(manager, slots, numbers):
    method, *numbers = map(int, numbers)  # a number may stand in quotes: int() takes both
    at = ADDRESS_AT.get(method, 0)
    if at is not None:
        slot, offset = numbers[at:at + 2]
        numbers[at:at + 2] = [((slots[slot] if slot >= 0 else 0) + offset) % 2**64]
    answer = [0, *numbers] if method == 0 else getattr(manager, NAMES[method])(*numbers)
    if method in (1, 6, 7):  # these allocate: the next slot is theirs, also of a refusal
        slots.append(answer[1] if answer[0] == 0 else 0)
    return [n if abs(n) < 2**53 else str(n) for n in answer]


manager, slots = None, []
for line in sys.stdin:
    request = json.loads(line)
    outcome = []
    if "start" in request:
        outcome = Manager.ABOUT
    elif "open" in request:
        manager, slots = Manager(), []
    elif "run" in request:
        outcome = [call(manager, slots, numbers) for numbers in request["run"]]
    print(json.dumps({"id": request["id"], "outcome": outcome}), flush=True)
    if "stop" in request:
        break
