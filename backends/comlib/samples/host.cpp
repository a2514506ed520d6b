// A host memory manager over mmap in less than 100 lines. Build it, and have it validated:
//   g++ -std=c++17 -O1 -shared -fPIC -Ibackends/comlib/include backends/comlib/samples/host.cpp -o host.so
//   cargo run --release -- check --backend com:./host.so
// Not here: what HostmemLacks names, write watch, large pages, and VirtualQuery without a lock.
#include <algorithm>
#include <fstream>
#include <map>
#include <vector>
#include "hostmem_object.h"
#define REFUSE(when, code) if (when) return (code)
using U = uintptr_t; using Lock = std::lock_guard<std::mutex>;
constexpr U PAGE = 4096, UNIT = 65536, END = 0x7FFFFFFF0000;
const HRESULT BAD = E_INVALIDARG, ADDR = HRESULT_FROM_WIN32(ERROR_INVALID_ADDRESS);
const HRESULT NOWHERE = HRESULT_FROM_WIN32(ERROR_NOACCESS), SHORT = HRESULT_FROM_WIN32(ERROR_BAD_LENGTH);
static U down(U a, U to = PAGE) { return a & ~(to - 1); }
static U up(U a, U to = PAGE) { return down(a + to - 1, to); }
static bool outside(U a, U n) { return a >= END || n > END - a; }
static bool unknown(DWORD protect) { return !protect || protect > 0x80 || protect & (protect - 1); }
static int native(DWORD p) { return p == PAGE_NOACCESS ? 0 : PROT_READ | (p & 0x44 ? PROT_WRITE : 0) | (p & 0xF0 ? PROT_EXEC : 0); }
static void *at(U a) { return reinterpret_cast<void *>(a); }
static U map(U a, U n, int how) { return U(mmap(at(a), n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how, -1, 0)); }
struct Area { U base, end; DWORD given; bool physical; std::vector<uint8_t> pages; };  // 0: reserved; else the protection
struct Manager final : HostmemManager {
    std::mutex lock; std::map<U, Area> areas;
    void destroy() override { for (auto &[base, area] : areas) munmap(at(base), up(area.end, UNIT) - base); delete this; }
    Area *find(U a) { auto i = areas.upper_bound(a); return i == areas.begin() || a >= (--i)->second.end ? nullptr : &i->second; }
    HRESULT set(Area &area, U from, U to, DWORD p) {  // commits pages, or decommits them
        REFUSE(p ? mprotect(at(from), to - from, native(p)) != 0 : map(from, to - from, MAP_FIXED) != from, E_OUTOFMEMORY);
        return memset(&area.pages[(from - area.base) / PAGE], int(p), (to - from) / PAGE), S_OK;
    }
    HRESULT release(U base) { return munmap(at(base), up(areas[base].end, UNIT) - base), areas.erase(base), S_OK; }
    HRESULT VirtualAlloc(void *where, SIZE_T n, DWORD kind, DWORD p, EMemoryCriticalLevel, void **out) override {
        REFUSE(!out, E_POINTER);
        const bool reserve = !where || kind & MEM_RESERVE, copy = p & 0x88, commit = kind & MEM_COMMIT;
        const bool physical = (kind & ~MEM_TOP_DOWN) == (MEM_RESERVE | MEM_PHYSICAL) && p == PAGE_READWRITE;
        REFUSE((*out = nullptr, kind & ~(MEM_RESERVE | MEM_COMMIT | MEM_TOP_DOWN) || !(kind & 0x3000)) && !physical, BAD);
        U a = U(where), from = down(a, reserve ? UNIT : PAGE), to = up(a + n);
        REFUSE(unknown(p) || (copy && reserve) || (a && a < UNIT) || outside(a, n) || !n, BAD);
        Lock hold(lock);
        REFUSE(reserve && a && map(from, up(to, UNIT) - from, MAP_FIXED_NOREPLACE) != from, ADDR);
        if (!a) {  // more than is wanted, and what is not aligned goes back
            const U got = map(0, up(n, UNIT) + UNIT, 0);
            REFUSE(at(got) == MAP_FAILED, E_OUTOFMEMORY);
            if (from = up(got, UNIT), to = from + up(n); from > got) munmap(at(got), from - got);
            munmap(at(up(to, UNIT)), got + UNIT - from);
        }
        if (reserve) areas[from] = {from, to, p, physical, std::vector<uint8_t>((to - from) / PAGE)};
        Area *area = find(from);
        REFUSE(!area || to > area->end || (commit && area->physical), ADDR);
        REFUSE(copy, BAD);
        if (commit && set(*area, from, to, p) != S_OK) return reserve && release(from), E_OUTOFMEMORY;
        return *out = at(from), S_OK;
    }
    HRESULT VirtualFree(LPVOID where, SIZE_T n, DWORD kind) override {
        const U a = U(where), from = down(a);
        REFUSE((kind != MEM_DECOMMIT && kind != MEM_RELEASE) || (kind == MEM_RELEASE && n) || outside(a, n), BAD);
        Lock hold(lock); Area *area = find(a);
        REFUSE(!area, HOST_E_INVALIDOPERATION);
        REFUSE(!n && from != area->base, ADDR);
        REFUSE(a + n > area->end, BAD);
        return kind == MEM_RELEASE ? release(from) : set(*area, from, n ? up(a + n) : area->end, 0);
    }
    HRESULT VirtualProtect(void *where, SIZE_T n, DWORD protect, DWORD *old) override {
        const U a = U(where), from = down(a), to = up(a + n);
        REFUSE(unknown(protect), BAD);
        REFUSE(!old, NOWHERE);
        REFUSE(outside(a, n) || !n, BAD);
        Lock hold(lock); Area *area = find(a);
        REFUSE(!area || to > area->end, ADDR);
        REFUSE(protect & 0x88, BAD);
        const uint8_t *first = &area->pages[(from - area->base) / PAGE];
        REFUSE(memchr(first, 0, (to - from) / PAGE), ADDR);
        return *old = *first, set(*area, from, to, protect);
    }
    HRESULT VirtualQuery(void *where, void *buffer, SIZE_T length, SIZE_T *written) override {
        REFUSE(!written || (*written = 0, U(where) >= END), written ? BAD : E_POINTER);
        REFUSE(!buffer || length < sizeof(MEMORY_BASIC_INFORMATION), buffer ? SHORT : NOWHERE);
        Lock hold(lock); const U a = down(U(where)); auto next = areas.upper_bound(a);
        U from, to, end = next == areas.end() ? END : next->first;
        const U ours = next == areas.begin() ? 0 : up(std::prev(next)->second.end, UNIT);  // with the rest of a unit
        MEMORY_BASIC_INFORMATION m = {at(a), nullptr, 0, 0, 0, MEM_FREE, PAGE_NOACCESS, 0};
        if (Area *area = find(a)) {
            auto page = area->pages.begin() + (a - area->base) / PAGE;
            m = {at(a), at(area->base), area->given, 0, 0, DWORD(*page ? MEM_COMMIT : MEM_RESERVE), *page, MEM_PRIVATE};
            end = a + PAGE * (std::find_if(page, area->pages.end(), [&](uint8_t p) { return p != *page; }) - page);
        } else {  // free, or somebody else's
            std::ifstream maps("/proc/self/maps"); char dash;
            for (std::string rest; maps >> std::hex >> from >> dash >> to && std::getline(maps, rest);) {
                if ((from = std::max(from, ours)) <= a && a < to) m = {at(a), at(from), 0, 0, 0, MEM_RESERVE, 0, MEM_MAPPED};
                if (to > std::max(a, from)) end = std::min(end, from > a ? from : to);
            }
        }
        return m.RegionSize = end - a, memcpy(buffer, &m, sizeof m), *written = sizeof m, S_OK;
    }
};
extern "C" HOSTMEM_EXPORT const char *HOSTMEM_CALL HostmemLacks() { return "address-space-notices guard-pages nocache reset"; }
extern "C" HOSTMEM_EXPORT HRESULT HostmemCreateManager(const char *, IHostMemoryManager **out) {
    return out ? (*out = new Manager, S_OK) : E_POINTER;
}
