// What a C++ compiler makes of hostmem.h: layouts and numbers at compile time, and at run time every
// slot of hostmem's own object called twice, through the class and through the raw vtable.
//   g++ -std=c++17 -Ibackends/comlib/include backends/comlib/samples/abi.cpp -ldl -o abi && ./abi LIBRARY
// Not here: what the methods mean.
#include <dlfcn.h>
#include <cstdio>
#include <cstring>
#include "hostmem.h"

static_assert(sizeof(void *) == 8, "64 bits");
static_assert(sizeof(MEMORY_BASIC_INFORMATION) == 48, "winnt.h");
#define AT(field, offset) static_assert(offsetof(MEMORY_BASIC_INFORMATION, field) == (offset), #field)
AT(BaseAddress, 0); AT(AllocationBase, 8); AT(AllocationProtect, 16); AT(PartitionId, 20);
AT(RegionSize, 24); AT(State, 32); AT(Protect, 36); AT(Type, 40);
static_assert(sizeof(GUID) == 16 && sizeof(HostmemFault) == 16, "");
static_assert(sizeof(EMemoryAvailable) == 4 && sizeof(EMemoryCriticalLevel) == 4 && sizeof(MALLOC_TYPE) == 4, "");
static_assert(eMemoryAvailableLow == 1 && eMemoryAvailableNeutral == 2 && eMemoryAvailableHigh == 3, "");
static_assert(eTaskCritical == 0 && eAppDomainCritical == 1 && eProcessCritical == 2, "");
static_assert(MALLOC_THREADSAFE == 1 && MALLOC_EXECUTABLE == 2, "");
static_assert(MEM_COMMIT == 0x1000 && MEM_RESERVE == 0x2000 && MEM_DECOMMIT == 0x4000 && MEM_RELEASE == 0x8000, "");
static_assert(MEM_FREE == 0x10000 && MEM_PRIVATE == 0x20000 && MEM_MAPPED == 0x40000 && MEM_RESET == 0x80000, "");
static_assert(MEM_TOP_DOWN == 0x100000 && MEM_WRITE_WATCH == 0x200000 && MEM_PHYSICAL == 0x400000, "");
static_assert(MEM_IMAGE == 0x1000000 && MEM_RESET_UNDO == 0x1000000 && MEM_LARGE_PAGES == 0x20000000, "");
static_assert(PAGE_NOACCESS == 1 && PAGE_READONLY == 2 && PAGE_READWRITE == 4 && PAGE_WRITECOPY == 8, "");
static_assert(PAGE_EXECUTE == 0x10 && PAGE_EXECUTE_READ == 0x20 && PAGE_EXECUTE_READWRITE == 0x40, "");
static_assert(PAGE_EXECUTE_WRITECOPY == 0x80 && PAGE_GUARD == 0x100 && PAGE_NOCACHE == 0x200 && PAGE_WRITECOMBINE == 0x400, "");
#define CODE(name, value) static_assert(uint32_t(name) == (value), #name)
CODE(S_OK, 0); CODE(S_FALSE, 1); CODE(E_NOTIMPL, 0x80004001); CODE(E_NOINTERFACE, 0x80004002);
CODE(E_POINTER, 0x80004003); CODE(E_FAIL, 0x80004005); CODE(E_UNEXPECTED, 0x8000FFFF);
CODE(E_ACCESSDENIED, 0x80070005); CODE(E_OUTOFMEMORY, 0x8007000E); CODE(E_INVALIDARG, 0x80070057);
CODE(HOST_E_INVALIDOPERATION, 0x80131022); CODE(HOST_E_CLRNOTAVAILABLE, 0x80131023); CODE(HOST_E_TIMEOUT, 0x80131024);
CODE(HOST_E_NOT_OWNER, 0x80131025); CODE(HOST_E_ABANDONED, 0x80131026);
CODE(HRESULT_FROM_WIN32(ERROR_INVALID_ADDRESS), 0x800701E7); CODE(HRESULT_FROM_WIN32(ERROR_NOACCESS), 0x800703E6);
static_assert(sizeof(HostmemMachine) == 48 && offsetof(HostmemMachine, commit_limit) == 40, "");
static_assert(sizeof(IHostMemoryManager) == 8 && sizeof(IHostMalloc) == 8 && sizeof(ICLRMemoryNotificationCallback) == 8, "nothing but the vtable pointer");

static int wrong = 0;
static void same(const char *what, unsigned long long a, unsigned long long b) {
    printf("%s %llx %llx\n", what, a, b);
    if (a != b) ++wrong;
}
// The function in a slot, as any caller that knows no C++ sees it.
template <class F> static F slot(void *object, int index) {
    return reinterpret_cast<F>((*static_cast<void ***>(object))[index]);
}
static void guid(const char *text, const GUID &id) {
    char own[40];
    snprintf(own, sizeof own, "%08X-%04X-%04X-%02X%02X-%02X%02X%02X%02X%02X%02X", id.Data1, id.Data2, id.Data3,
             id.Data4[0], id.Data4[1], id.Data4[2], id.Data4[3], id.Data4[4], id.Data4[5], id.Data4[6], id.Data4[7]);
    same(text, strcmp(text, own), 0);
}
struct Bell final : ICLRMemoryNotificationCallback {
    ULONG references = 1; int last = 0;
    HRESULT QueryInterface(const IID &, void **out) override { return *out = nullptr, E_NOINTERFACE; }
    ULONG AddRef() override { return ++references; }
    ULONG Release() override { return --references; }
    HRESULT OnMemoryNotification(EMemoryAvailable now) override { return last = now, S_OK; }
};

int main(int, char **arguments) {
    guid("7BC698D1-F9E3-4460-9CDE-D04248E9FA25", IID_IHostMemoryManager);
    guid("1831991C-CC53-4A31-B218-04E910446479", IID_IHostMalloc);
    guid("47EB8E57-0846-4546-AF76-6F42FCFC2649", IID_ICLRMemoryNotificationCallback);
    guid("00000000-0000-0000-C000-000000000046", IID_IUnknown);
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library) return puts(dlerror()), 2;
    auto create = reinterpret_cast<decltype(&HostmemCreateManager)>(dlsym(library, "HostmemCreateManager"));
    same("null manager", uint32_t(create("model", nullptr)), uint32_t(E_POINTER));
    IHostMemoryManager *m = nullptr;
    same("create", create("model", &m), S_OK);
    void *o = m;  // the object, slot by slot

    void *a = nullptr, *b = nullptr;
    HRESULT told = m->QueryInterface(IID_IHostMemoryManager, &a);
    same("0 QueryInterface", told, slot<HRESULT (*)(void *, const IID *, void **)>(o, 0)(o, &IID_IHostMemoryManager, &b));
    same("0 object", (uintptr_t)a, (uintptr_t)b);
    same("0 nobody's", uint32_t(m->QueryInterface(IID_IHostMalloc, &a)), uint32_t(E_NOINTERFACE));
    ULONG count = m->AddRef();
    same("1 AddRef", count + 1, slot<ULONG (*)(void *)>(o, 1)(o));
    count = m->Release();
    same("2 Release", count - 1, slot<ULONG (*)(void *)>(o, 2)(o));
    m->Release(), m->Release();

    IHostMalloc *h = nullptr, *i = nullptr;
    same("3 CreateMalloc", m->CreateMalloc(1, &h),
         slot<HRESULT (*)(void *, DWORD, IHostMalloc **)>(o, 3)(o, 1, &i));
    using Alloc = HRESULT (*)(void *, void *, SIZE_T, DWORD, DWORD, uint32_t, void **);
    same("4 VirtualAlloc", m->VirtualAlloc(nullptr, 9, MEM_RESERVE, PAGE_READWRITE, eTaskCritical, &a),
         slot<Alloc>(o, 4)(o, nullptr, 9, MEM_RESERVE, PAGE_READWRITE, 77, &b));  // a level without a name
    same("4 placed apart", a != b, 1);
    m->VirtualAlloc(a, 4096, MEM_COMMIT, PAGE_READWRITE, eTaskCritical, &a);
    same("4 null", uint32_t(m->VirtualAlloc(nullptr, 9, MEM_RESERVE, 4, eTaskCritical, nullptr)), uint32_t(E_POINTER));
    MEMORY_BASIC_INFORMATION q = {}, r = {};
    SIZE_T n = 0, k = 0;
    same("6 VirtualQuery", m->VirtualQuery(a, &q, sizeof q, &n),
         slot<HRESULT (*)(void *, void *, void *, SIZE_T, SIZE_T *)>(o, 6)(o, a, &r, sizeof r, &k));
    same("6 written", n, k), same("6 bytes", memcmp(&q, &r, sizeof q), 0), same("6 size", q.RegionSize, 4096);
    same("6 state", q.State, MEM_COMMIT), same("6 protect", q.Protect, PAGE_READWRITE), same("6 base", (uintptr_t)q.BaseAddress, (uintptr_t)a);
    same("6 null", uint32_t(m->VirtualQuery(a, nullptr, 48, &n)), uint32_t(E_POINTER));
    DWORD old = 0, before = 0;
    told = m->VirtualProtect(a, 1, PAGE_READONLY, &old);
    same("7 VirtualProtect", told, slot<HRESULT (*)(void *, void *, SIZE_T, DWORD, DWORD *)>(o, 7)(o, a, 1, PAGE_NOACCESS, &before));
    same("7 old", old, PAGE_READWRITE), same("7 before", before, PAGE_READONLY);
    same("7 null", uint32_t(m->VirtualProtect(a, 1, PAGE_READONLY, nullptr)), uint32_t(E_POINTER));
    same("5 VirtualFree", m->VirtualFree(a, 0, MEM_RELEASE), slot<HRESULT (*)(void *, void *, SIZE_T, DWORD)>(o, 5)(o, b, 0, MEM_RELEASE));
    same("5 not ours", uint32_t(m->VirtualFree(a, 0, MEM_RELEASE)), uint32_t(HOST_E_INVALIDOPERATION));
    told = m->GetMemoryLoad(&old, &n);
    same("8 GetMemoryLoad", told, slot<HRESULT (*)(void *, DWORD *, SIZE_T *)>(o, 8)(o, &before, &k));
    same("8 load", old, before), same("8 available", n, k);
    same("8 null", uint32_t(m->GetMemoryLoad(nullptr, &n)), uint32_t(E_POINTER));
    Bell bell;
    same("9 Register", m->RegisterMemoryNotificationCallback(&bell), slot<HRESULT (*)(void *, void *)>(o, 9)(o, &bell));
    same("9 kept once", bell.references, 2);
    same("9 null", uint32_t(m->RegisterMemoryNotificationCallback(nullptr)), uint32_t(E_POINTER));
    IHostmemInstruments *instruments = nullptr;
    m->QueryInterface(IID_IHostmemInstruments, reinterpret_cast<void **>(&instruments));
    instruments->SetMemoryLoad(99, 1 << 20);
    same("9 notified", bell.last, eMemoryAvailableLow);
    using Range = HRESULT (*)(void *, void *, SIZE_T);
    same("10 Needs", m->NeedsVirtualAddressSpace(nullptr, 0), slot<Range>(o, 10)(o, nullptr, 0));
    same("11 Acquired", m->AcquiredVirtualAddressSpace(a, 0), slot<Range>(o, 11)(o, b, 0));
    same("12 Released", m->ReleasedVirtualAddressSpace(a), slot<HRESULT (*)(void *, void *)>(o, 12)(o, b));

    same("heap 3 Alloc", h->Alloc(8, eTaskCritical, &a), slot<HRESULT (*)(void *, SIZE_T, DWORD, void **)>(h, 3)(h, 8, 0, &b));
    char file[] = "abi.cpp"; void *c = nullptr, *d = nullptr;
    same("heap 4 DebugAlloc", h->DebugAlloc(8, eTaskCritical, file, 1, &c),
         slot<HRESULT (*)(void *, SIZE_T, DWORD, char *, int, void **)>(h, 4)(h, 8, 0, file, 2, &d));
    same("heap 5 Free", h->Free(a), slot<HRESULT (*)(void *, void *)>(h, 5)(h, b));
    same("heap 5 double", uint32_t(h->Free(a)), uint32_t(HOST_E_INVALIDOPERATION));
    same("heap 5 null", h->Free(nullptr), S_OK);
    same("heap 3 null", uint32_t(h->Alloc(8, eTaskCritical, nullptr)), uint32_t(E_POINTER));
    void *w = nullptr, *x = nullptr; SIZE_T pages = 1;
    guid("A0C34F0E-6B0B-4F0D-8E59-0D5C9B8E2A31", IID_IHostmemWriteWatch);
    guid("3D7B6C1A-94E5-4B6E-9C0F-52D1A7E4F0B6", IID_IHostmemReport);
    IHostmemWriteWatch *watch = nullptr; IHostmemReport *report = nullptr;
    m->QueryInterface(IID_IHostmemWriteWatch, reinterpret_cast<void **>(&watch));
    m->QueryInterface(IID_IHostmemReport, reinterpret_cast<void **>(&report));
    m->VirtualAlloc(nullptr, 4096, MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE, eTaskCritical, &w);
    uint8_t one = 1; HostmemFault fault;
    instruments->Write(uint64_t(w), 1, &one, &fault);
    same("watch 3 GetWriteWatch", watch->GetWriteWatch(0, w, 4096, &x, &pages, &before), S_OK);
    same("watch 3 count", pages, 1), same("watch 3 page", (uintptr_t)x, (uintptr_t)w), same("watch 3 granularity", before, 4096);
    same("watch 3 null", uint32_t(watch->GetWriteWatch(0, w, 4096, &x, nullptr, &before)), uint32_t(E_POINTER));
    same("watch 4 ResetWriteWatch", watch->ResetWriteWatch(w, 4096), slot<Range>(watch, 4)(watch, w, 4096));
    int leaks = 0;
    auto tell = [](void *count, const char *line) { *static_cast<int *>(count) += strstr(line, "abi.cpp:") != nullptr; };
    same("report 3 Leaks", report->Leaks(tell, &leaks), S_OK), same("report 3 with file", leaks, 2);
    same("report 3 null", uint32_t(report->Leaks(nullptr, nullptr)), uint32_t(E_POINTER));
    watch->Release(), report->Release(), instruments->Release();
    same("still held by heaps", m->Release() != 0, 1);
    same("heap gone", h->Release() + i->Release(), 0);
    same("callback given back", bell.references, 1);
    return wrong ? (printf("%d wrong\n", wrong), 1) : 0;
}
