"""dumpulator's MemoryManager, a third party's, behind adapter.py: `python3 adapter.py
dumpulator_manager`, with the folder of dumpulator's memory.py (0.2.6 from PyPI) on PYTHONPATH.

dumpulator emulates a Windows process; its memory.py is what NtAllocateVirtualMemory and its
siblings do their work with. As its system calls do, this rounds addresses and sizes before it
asks, and takes whatever is thrown for a refusal. Its pages live in an emulator, so there are no
contents here. Not declared, so never asked: whatever it has no words for.
"""
from memory import MemoryManager, MemoryProtect, MemoryState, PageManager


class NoPages(PageManager):
    commit = decommit = protect = lambda *_: None


class Manager:
    ABOUT = {"name": "dumpulator", "version": "0.2.6", "page": 4096, "granularity": 65536,
             "homepage": "https://github.com/mrexodia/dumpulator", "errors": "yes-no",
             "capabilities": ["query", "guard-pages", "private-arena"],
             "absent": {"contents": "its pages live in an emulator",
                        "write-watch": "it has no words for it"}}

    def __init__(self):
        self.memory = MemoryManager(NoPages())

    def attempt(self, act):
        try:
            return act()
        except Exception:  # KeyError, AssertionError, ValueError: it has no error codes
            return [1]

    def VirtualAlloc(self, address, size, kind, protect, critical):
        def act():
            if not kind & 0x3000 or kind & ~0x3000:
                return [1]
            flags, base = MemoryProtect(protect), self.memory.containing_page(address)
            length = self.memory.align_page(address + size) - base
            if kind & 0x2000 or not address:
                base = base or self.memory.find_free(length)
                self.memory.reserve(base, length, flags)
            if kind & 0x1000:
                self.memory.commit(base, length, flags)
            return [0, base]
        return self.attempt(act)

    def VirtualFree(self, address, size, kind):
        def act():
            base = self.memory.containing_page(address)
            if kind == 0x8000:
                self.memory.release(base, size)
            elif kind == 0x4000:
                length = self.memory.align_page(address + size) - base
                self.memory.decommit(base, length or self.memory.find_region(base).size)
            else:
                return [1]
            return [0]
        return self.attempt(act)

    def VirtualProtect(self, address, size, protect, old):
        def act():
            base = self.memory.containing_page(address)
            length = self.memory.align_page(address + size) - base
            return [0, self.memory.protect(base, length, MemoryProtect(protect)).value]
        return self.attempt(act)

    def VirtualQuery(self, address, length, buffer):
        def act():
            info = self.memory.query(address)
            free = info.state == MemoryState.MEM_FREE
            base = 0 if free else info.allocation_base
            return [0, info.base, base, info.allocation_protect.value, info.region_size,
                    info.state.value, info.protect.value, info.type.value]
        return self.attempt(act)
