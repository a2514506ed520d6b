"""A small manager of simulated memory in Python: reserve, commit, protect, query, touch.

Not here: heaps, write watch, memory load. It keeps Win32's order of checks, so it agrees with every
scenario that it can do; break a line and see what hostmem says.
"""
PAGE, UNIT, LOW, END = 4096, 65536, 0x10000, 0x7FFFFFFF0000
INVALID_PARAMETER, INVALID_ADDRESS, NOACCESS, BAD_LENGTH = [87], [487], [998], [24]
ACCESS_VIOLATION, GUARD_PAGE = 0xC0000005, 0x80000001
READ, WRITE = 0, 1


def down(address, unit=PAGE):
    return address & -unit


def up(address, unit=PAGE):
    return -(-address // unit) * unit


def one_base(protect):
    return bin(protect & 0xFF).count("1") == 1 and protect < 0x200


def bad_guard(protect):
    return protect & 0x100 and protect & 1  # PAGE_GUARD with PAGE_NOACCESS


class Area:
    def __init__(self, base, end, protect):
        self.base, self.end, self.protect = base, end, protect
        self.pages = {}  # committed pages: address -> [protect, bytes]


class Manager:
    ABOUT = {"name": "toy-python", "version": "1", "page": PAGE, "granularity": UNIT,
             "errors": "win32", "capabilities": ["contents", "faults", "guard-pages", "buffers",
                                                 "query", "private-arena"],
             "absent": {"write-watch": "it is a toy"}}

    def __init__(self):
        self.areas = []  # by address

    def find(self, address):
        return next((area for area in self.areas if area.base <= address < area.end), None)

    def commit(self, area, start, end, protect):
        for page in range(start, end, PAGE):
            area.pages.setdefault(page, [0, bytearray(PAGE)])[0] = protect

    def VirtualAlloc(self, address, size, kind, protect, critical):
        if kind & ~0x3000 or not kind or 0 < address < LOW or not one_base(protect):
            return INVALID_PARAMETER
        reserve = kind & 0x2000 or not address
        if bad_guard(protect) or protect & 0x88 and reserve or not size or address + size > END:
            return INVALID_PARAMETER
        if not reserve:
            area = self.find(address)
            if not area or address + size > area.end:
                return INVALID_ADDRESS
            if protect & 0x88:
                return INVALID_PARAMETER
            self.commit(area, down(address), up(address + size), protect)
            return [0, down(address)]
        base = down(address, UNIT) if address else LOW
        end = up(address + size) if address else base + up(size)
        for area in self.areas:
            if base < up(area.end, UNIT) and area.base < end:
                if address:
                    return INVALID_ADDRESS
                base, end = up(area.end, UNIT), up(area.end, UNIT) + up(size)
        if end > END:
            return [8]
        area = Area(base, end, protect)
        self.areas = sorted(self.areas + [area], key=lambda area: area.base)
        if kind & 0x1000:
            self.commit(area, base, end, protect)
        return [0, base]

    def VirtualFree(self, address, size, kind):
        if kind not in (0x4000, 0x8000) or kind == 0x8000 and size or address >= END \
                or address + size > END:
            return INVALID_PARAMETER
        area = self.find(address)
        if not area or not size and down(address) != area.base:
            return INVALID_ADDRESS
        if address + size > area.end:
            return INVALID_PARAMETER
        if kind == 0x8000:
            self.areas.remove(area)
        for page in range(down(address), up(address + size) if size else area.end, PAGE):
            area.pages.pop(page, None)
        return [0]

    def VirtualProtect(self, address, size, protect, old):
        if not one_base(protect):
            return INVALID_PARAMETER
        if not old:
            return NOACCESS
        if not size or address + size > END or bad_guard(protect):
            return INVALID_PARAMETER
        area = self.find(address)
        if not area or address + size > area.end:
            return INVALID_ADDRESS
        if protect & 0x88:
            return INVALID_PARAMETER
        pages = range(down(address), up(address + size), PAGE)
        if not all(page in area.pages for page in pages):
            return INVALID_ADDRESS
        before = area.pages[pages[0]][0]
        self.commit(area, pages[0], pages[-1] + PAGE, protect)
        return [0, before]

    def VirtualQuery(self, address, length, buffer):
        if address >= END:
            return INVALID_PARAMETER
        if not buffer:
            return NOACCESS
        if length < 48:
            return BAD_LENGTH
        page, area = down(address), self.find(address)
        if not area:
            end = next((area.base for area in self.areas if area.base > page), END)
            return [0, page, 0, 0, end - page, 0x10000, 1, 0]  # MEM_FREE, PAGE_NOACCESS

        def protect(at):
            return area.pages[at][0] if at in area.pages else None
        end = page
        while end < area.end and protect(end) == protect(page):
            end += PAGE
        state = 0x2000 if protect(page) is None else 0x1000
        return [0, page, area.base, area.protect, end - page, state, protect(page) or 0, 0x20000]

    def touch(self, address, size, kind):
        """The pages of an access, or how it faults: a write across two pages changes neither."""
        pages = []
        for page in range(down(address), address + size, PAGE):
            area = self.find(page)
            found = area and area.pages.get(page)
            allowed = 0x44 if kind == WRITE else 0xFE
            at = max(address, page)
            if not found or not found[0] & allowed:
                return None, [ACCESS_VIOLATION, kind, at]
            if found[0] & 0x100:
                found[0] &= ~0x100
                return None, [GUARD_PAGE, kind, at]
            pages.append((found[1], page))
        return pages, None

    def Read(self, address, size):
        from adapter import runs
        pages, fault = self.touch(address, size, READ)
        if fault:
            return fault
        held, start = b"".join(bytes(held) for held, _ in pages), address % PAGE
        return [0, *runs(held[start:start + size])]

    def Write(self, address, *numbers):
        from adapter import data
        written = data(numbers)
        pages, fault = self.touch(address, len(written), WRITE)
        if fault:
            return fault
        for held, page in pages:
            start, end = max(address, page), min(address + len(written), page + PAGE)
            held[start - page:end - page] = written[start - address:end - address]
        return [0]
