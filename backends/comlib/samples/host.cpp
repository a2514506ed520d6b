// A whole host memory manager in C++ over mmap. Build, and check:
//   g++ -std=c++17 -O1 -shared -fPIC -Ibackends/comlib/include backends/comlib/samples/host.cpp -o host.so
//   hostmem replay scenarios --backend com:./host.so
// Not here: write watch and large pages (refused), and VirtualQuery without locks.
#include <sys/mman.h>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include "hostmem.h"
#define REFUSE(when, code) if (when) return (code)
#define METHOD HRESULT HOSTMEM_CALL
using U = uintptr_t;
constexpr U PAGE = 4096, UNIT = 65536, LOW = 0x10000, END = 0x7FFFFFFF0000;
const HRESULT BAD = E_INVALIDARG, ADDR = HRESULT_FROM_WIN32(ERROR_INVALID_ADDRESS);
const HRESULT NULLED = HRESULT_FROM_WIN32(ERROR_NOACCESS), LENGTH = HRESULT_FROM_WIN32(ERROR_BAD_LENGTH);
static U down(U a) { return a & ~(PAGE - 1); }
static U up(U a) { return down(a + PAGE - 1); }
static U granules(U a) { return (a + UNIT - 1) & ~(UNIT - 1); }  // the rest of a granule is kept from others
static bool one(DWORD p) { return __builtin_popcount(p & 0xFF) == 1 && !(p & ~0x7FFu); }
static bool mods(DWORD p) { int m = __builtin_popcount(p & 0x700); return m > 1 || (m && (p & PAGE_NOACCESS)); }
static bool outside(U a, U n) { return a >= END || n > END - a; }
static int native(DWORD p) {  // PAGE_GUARD: inaccessible, and recorded
    if (p & (PAGE_GUARD | PAGE_NOACCESS)) return PROT_NONE;
    return PROT_READ | (p & 0x44 ? PROT_WRITE : 0) | (p & 0xF0 ? PROT_EXEC : 0);
}
static void *at(U a) { return reinterpret_cast<void *>(a); }
static bool map(U a, U n, int how) {
    return mmap(at(a), n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how, -1, 0) == at(a);
}
template <class I> struct Object : I {  // IUnknown
    const IID &iid; std::atomic<ULONG> refs{1};
    explicit Object(const IID &own) : iid(own) {}
    virtual void destroy() = 0;
    METHOD QueryInterface(const IID &id, void **out) override {
        REFUSE(!out, E_POINTER);
        bool yes = !memcmp(&id, &IID_IUnknown, sizeof id) || !memcmp(&id, &iid, sizeof id);
        *out = yes ? this : nullptr;
        return yes ? (AddRef(), S_OK) : E_NOINTERFACE;
    }
    ULONG HOSTMEM_CALL AddRef() override { return ++refs; }
    ULONG HOSTMEM_CALL Release() override { ULONG left = --refs; if (!left) destroy(); return left; }
};
struct Heap final : Object<IHostMalloc> {
    const bool code; std::mutex lock; std::set<void *> live;
    explicit Heap(bool executable) : Object(IID_IHostMalloc), code(executable) {}
    void destroy() override { for (void *block : live) free(block); delete this; }
    METHOD Alloc(SIZE_T n, EMemoryCriticalLevel, void **out) override {
        REFUSE(!out, E_POINTER);
        *out = code ? aligned_alloc(PAGE, up(n + 1)) : malloc(n);  // aligned to 16 bytes at least
        REFUSE(!*out, E_OUTOFMEMORY);
        if (code) mprotect(*out, up(n + 1), PROT_READ | PROT_WRITE | PROT_EXEC);  // whole pages, and they stay so
        std::lock_guard<std::mutex> guard(lock);
        return live.insert(*out), S_OK;
    }
    METHOD DebugAlloc(SIZE_T n, EMemoryCriticalLevel l, char *, int, void **out) override { return Alloc(n, l, out); }
    METHOD Free(void *block) override {
        std::lock_guard<std::mutex> guard(lock);
        REFUSE(block && !live.erase(block), HOST_E_INVALIDOPERATION);
        return free(block), S_OK;
    }
};
struct Area { U end; DWORD protect; bool physical; std::map<U, DWORD> pages; };  // pages: the committed ones
struct Manager final : Object<IHostMemoryManager> {
    std::mutex lock; std::map<U, Area> areas; std::map<U, U> views; ICLRMemoryNotificationCallback *callback = nullptr;
    Manager() : Object(IID_IHostMemoryManager) {}
    void destroy() override {
        for (auto &a : areas) munmap(at(a.first), granules(a.second.end) - a.first);
        if (callback) callback->Release();
        delete this;
    }
    std::map<U, Area>::iterator find(U a) {
        auto i = areas.upper_bound(a);
        return i == areas.begin() || a >= (--i)->second.end ? areas.end() : i;
    }
    HRESULT commit(Area &area, U from, U to, DWORD protect) {
        REFUSE(mprotect(at(from), to - from, native(protect)), E_OUTOFMEMORY);
        for (; from < to; from += PAGE) area.pages[from] = protect & ~0x600u;
        return S_OK;
    }
    DWORD shown(const Area &area, DWORD protect) { return protect | (area.protect & 0x600); }
    METHOD CreateMalloc(DWORD kind, IHostMalloc **out) override {
        REFUSE(!out, E_POINTER);
        *out = kind & ~3u ? nullptr : new Heap(kind & MALLOC_EXECUTABLE);
        return *out ? S_OK : BAD;
    }
    METHOD VirtualAlloc(void *where, SIZE_T n, DWORD kind, DWORD protect, EMemoryCriticalLevel, void **out) override {
        REFUSE(!out, E_POINTER);
        *out = nullptr;
        const U a = U(where); const DWORD act = kind & ~MEM_TOP_DOWN;
        const bool reset = act == MEM_RESET || act == MEM_RESET_UNDO, reserve = kind & MEM_RESERVE || !a;
        const bool physical = act == (MEM_RESERVE | MEM_PHYSICAL) && protect == PAGE_READWRITE;
        REFUSE(act & ~(MEM_RESERVE | MEM_COMMIT) ? !(reset && act == kind) && !physical : !act, BAD);
        REFUSE((a && a < LOW) || !one(protect) || mods(protect) || (protect & 0x88 && !reset && reserve) || outside(a, n) || !n, BAD);
        std::lock_guard<std::mutex> guard(lock);
        auto i = find(a);
        if (reset || !reserve) {
            REFUSE(i == areas.end() || a + n > i->second.end, ADDR);
            REFUSE(!reset && protect & 0x88, BAD);
            REFUSE(!reset && i->second.physical, ADDR);
            if (!reset) REFUSE(commit(i->second, down(a), up(a + n), protect), E_OUTOFMEMORY);
            return *out = at(down(a)), S_OK;
        }
        U base = a & ~(UNIT - 1), size = up(a + n) - base, room = granules(size);
        if (a) REFUSE(!map(base, room, MAP_FIXED_NOREPLACE), ADDR);
        if (!a) {  // map more than wanted, and give back what is not aligned
            void *got = mmap(nullptr, room + UNIT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            REFUSE(got == MAP_FAILED, E_OUTOFMEMORY);
            base = granules(U(got));
            if (base > U(got)) munmap(got, base - U(got));
            if (base < U(got) + UNIT) munmap(at(base + room), U(got) + UNIT - base);
        }
        Area &area = areas[base] = {base + size, protect, physical, {}};
        if (kind & MEM_COMMIT) REFUSE(commit(area, base, base + size, protect), E_OUTOFMEMORY);
        return *out = at(base), S_OK;
    }
    METHOD VirtualFree(LPVOID where, SIZE_T n, DWORD kind) override {
        const U a = U(where);
        REFUSE((kind != MEM_DECOMMIT && kind != MEM_RELEASE) || (kind == MEM_RELEASE && n) || outside(a, n), BAD);
        std::lock_guard<std::mutex> guard(lock);
        auto i = find(a);
        REFUSE(i == areas.end(), HOST_E_INVALIDOPERATION);
        REFUSE(!n && down(a) != i->first, ADDR);
        REFUSE(a + n > i->second.end, BAD);
        const U from = down(a), to = n ? up(a + n) : i->second.end;
        if (kind == MEM_RELEASE) return munmap(at(from), granules(to) - from), areas.erase(i), S_OK;
        i->second.pages.erase(i->second.pages.lower_bound(from), i->second.pages.lower_bound(to));
        return map(from, to - from, MAP_FIXED) ? S_OK : E_OUTOFMEMORY;
    }
    METHOD VirtualProtect(void *where, SIZE_T n, DWORD protect, DWORD *old) override {
        const U a = U(where);
        REFUSE(!one(protect), BAD);
        REFUSE(!old, NULLED);
        REFUSE(outside(a, n) || !n || mods(protect), BAD);
        std::lock_guard<std::mutex> guard(lock);
        auto i = find(a);
        REFUSE(i == areas.end() || a + n > i->second.end, ADDR);
        REFUSE(protect & 0x88, BAD);
        auto first = i->second.pages.find(down(a)), last = i->second.pages.lower_bound(up(a + n));
        REFUSE(first == i->second.pages.end() || U(std::distance(first, last)) != (up(a + n) - down(a)) / PAGE, ADDR);
        *old = shown(i->second, first->second);
        return commit(i->second, down(a), up(a + n), protect);
    }
    METHOD VirtualQuery(void *where, void *buffer, SIZE_T length, SIZE_T *written) override {
        REFUSE(!written, E_POINTER);
        *written = 0;
        REFUSE(U(where) >= END, BAD);
        REFUSE(!buffer, NULLED);
        REFUSE(length < sizeof(MEMORY_BASIC_INFORMATION), LENGTH);
        std::lock_guard<std::mutex> guard(lock);
        const U a = down(U(where)); auto i = find(a); U end = END;
        MEMORY_BASIC_INFORMATION m = {at(a), nullptr, 0, 0, 0, MEM_FREE, PAGE_NOACCESS, 0};
        if (i == areas.end()) {
            auto next = areas.upper_bound(a);
            if (next != areas.end()) end = next->first;
            const U ours = next == areas.begin() ? 0 : granules(std::prev(next)->second.end);
            auto foreign = [&](U from, U to) {  // somebody else's memory
                from = std::max(from, ours);
                if (from >= to) return;
                if (from <= a && a < to) m.State = MEM_RESERVE, m.AllocationBase = at(a), m.Protect = 0, m.Type = MEM_MAPPED;
                if (from > a || a < to) end = std::min(end, from > a ? from : to);
            };
            for (auto &view : views) foreign(down(view.first), up(view.first + std::max<U>(view.second, 1)));
            std::ifstream maps("/proc/self/maps"); char dash; U from, to;
            for (std::string rest; maps >> std::hex >> from >> dash >> to && std::getline(maps, rest);) foreign(from, to);
        } else {
            auto &pages = i->second.pages; auto p = pages.lower_bound(a);
            m.AllocationBase = at(i->first), m.AllocationProtect = i->second.protect, m.Type = MEM_PRIVATE;
            m.State = MEM_RESERVE, m.Protect = 0, end = p == pages.end() ? i->second.end : p->first;
            if (end == a) {
                m.State = MEM_COMMIT, m.Protect = shown(i->second, p->second);
                for (DWORD same = p->second; p != pages.end() && p->first == end && p->second == same; ++p) end += PAGE;
            }
        }
        m.RegionSize = end - a;
        return memcpy(buffer, &m, sizeof m), *written = sizeof m, S_OK;
    }
    METHOD GetMemoryLoad(DWORD *load, SIZE_T *available) override {
        REFUSE(!load || !available, E_POINTER);
        std::ifstream info("/proc/meminfo"); std::string word; SIZE_T total = 1, rest;  // MemTotal, MemFree, MemAvailable
        info >> word >> total >> word >> word >> rest >> word >> word >> rest;
        return *available = rest * 1024, *load = DWORD(100 - rest * 100 / total), S_OK;
    }
    METHOD RegisterMemoryNotificationCallback(ICLRMemoryNotificationCallback *given) override {
        REFUSE(!given, E_POINTER);
        given->AddRef();
        std::lock_guard<std::mutex> guard(lock);
        if (callback) callback->Release();
        return callback = given, S_OK;
    }
    METHOD NeedsVirtualAddressSpace(LPVOID, SIZE_T) override { return S_OK; }  // never short on 64 bits
    METHOD AcquiredVirtualAddressSpace(LPVOID a, SIZE_T n) override {
        std::lock_guard<std::mutex> guard(lock);
        return views[U(a)] = n, S_OK;
    }
    METHOD ReleasedVirtualAddressSpace(LPVOID a) override {
        std::lock_guard<std::mutex> guard(lock);
        return views.erase(U(a)), S_OK;
    }
};
extern "C" HOSTMEM_EXPORT HRESULT HOSTMEM_CALL HostmemCreateManager(const char *, IHostMemoryManager **out) {
    return *out = new Manager, S_OK;
}
