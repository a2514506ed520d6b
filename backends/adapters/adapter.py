"""Connects a memory manager in Python to hostmem: `python3 adapter.py [MODULE]`.

The manager is the class `Manager` of the module (default: toy). A call is a method of it with the
name of VALIDATE.md's table, which gets the numbers of the call (an address as one number) and
returns an answer: a list of numbers. A method that is not there is answered with "unsupported".
"""
import importlib, itertools, json, os, sys

NAMES = ("Echo VirtualAlloc VirtualFree VirtualQuery VirtualProtect CreateMalloc Alloc DebugAlloc "
         "Free GetMemoryLoad RegisterMemoryNotificationCallback NeedsVirtualAddressSpace "
         "AcquiredVirtualAddressSpace ReleasedVirtualAddressSpace Read Write Execute GetWriteWatch "
         "ResetWriteWatch SetMemoryLoad").split()
ADDRESS_AT = {5: None, 6: None, 7: None, 8: 1, 9: None, 10: None, 19: None}  # elsewhere: first


def runs(data):  # bytes as an answer to Read: how many, which byte, and so on
    return [n for byte, run in itertools.groupby(data) for n in (len(list(run)), byte)]


def data(numbers):  # the bytes of a Write: the inverse of runs
    return b"".join(bytes([byte]) * count for count, byte in zip(numbers[::2], numbers[1::2]))


def call(manager, slots, numbers):
    method, *numbers = map(int, numbers)  # a number may stand in quotes: int() takes both
    at = ADDRESS_AT.get(method, 0)
    if at is not None:
        slot, offset = numbers[at:at + 2]
        numbers[at:at + 2] = [((slots[slot] if slot >= 0 else 0) + offset) % 2**64]
    if method != 0 and not hasattr(manager, NAMES[method]):
        raise NotImplementedError(NAMES[method])
    answer = [0, *numbers] if method == 0 else getattr(manager, NAMES[method])(*numbers)
    if method in (1, 6, 7):  # these allocate: the next slot is theirs, also of a refusal
        slots.append(answer[1] if answer[0] == 0 else 0)
    return [n if abs(n) < 2**53 else str(n) for n in answer]


def main():
    sys.path.insert(0, os.getcwd())
    module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "toy")
    manager, slots = None, []
    for line in sys.stdin:
        request = json.loads(line)
        reply = {"id": request["id"], "outcome": []}
        if "start" in request:
            reply["outcome"] = {"protocol": 1, **module.Manager.ABOUT}
        elif "open" in request:
            manager, slots = module.Manager(), []
        elif "run" in request:
            try:
                reply["outcome"] = [call(manager, slots, numbers) for numbers in request["run"]]
            except NotImplementedError as error:
                reply = {"id": request["id"], "unsupported": f"it has no {error}"}
        print(json.dumps(reply), flush=True)
        if "stop" in request:
            break


if __name__ == "__main__":
    main()
