// A host that takes its memory from hostmem's manager.
//   g++ -std=c++17 -Ibackends/comlib/include backends/comlib/samples/client.cpp -ldl -o client
//   ./client target/release/libhostmem_comlib.so
// Not here: a runtime to give the manager to (IHostControl::GetHostManager would hand it out).
#include <dlfcn.h>
#include <cstdio>
#include <cstring>
#include "hostmem.h"

static void say(const char *what, HRESULT told) { printf("%-40s 0x%08X\n", what, unsigned(told)); }

static void HOSTMEM_CALL leak(void *count, const char *line) {
    printf("not freed: %s\n", line);
    ++*static_cast<int *>(count);
}

int main(int count, char **arguments) {
    void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : nullptr;
    void *create = library ? dlsym(library, "HostmemCreateManager") : nullptr;
    if (!create) return puts(count == 2 ? dlerror() : "usage: client LIBRARY"), 1;
    IHostMemoryManager *manager = nullptr;
    if (reinterpret_cast<decltype(&HostmemCreateManager)>(create)("linux", &manager) != S_OK) return 1;

    void *base = nullptr;
    say("reserve 1 MiB", manager->VirtualAlloc(nullptr, 1 << 20, MEM_RESERVE, PAGE_NOACCESS, eTaskCritical, &base));
    say("commit a page", manager->VirtualAlloc(base, 4096, MEM_COMMIT, PAGE_READWRITE, eTaskCritical, &base));
    strcpy(static_cast<char *>(base), "real memory");
    MEMORY_BASIC_INFORMATION region;
    SIZE_T written = 0;
    say("query", manager->VirtualQuery(base, &region, sizeof region, &written));
    printf("%s: %zu bytes, state 0x%x, protection 0x%x\n", static_cast<char *>(base), region.RegionSize,
           unsigned(region.State), unsigned(region.Protect));
    say("release", manager->VirtualFree(base, 0, MEM_RELEASE));

    IHostMalloc *heap = nullptr;
    say("a heap", manager->CreateMalloc(MALLOC_THREADSAFE, &heap));
    void *block = nullptr, *lost = nullptr;
    char file[] = "client.cpp";
    say("a block", heap->Alloc(100, eTaskCritical, &block));
    say("a block that is never freed", heap->DebugAlloc(10, eTaskCritical, file, __LINE__, &lost));
    say("free", heap->Free(block));
    say("free again", heap->Free(block));
    IHostmemReport *report = nullptr;
    int leaks = 0;
    if (manager->QueryInterface(IID_IHostmemReport, reinterpret_cast<void **>(&report)) == S_OK)
        report->Leaks(leak, &leaks), report->Release();
    heap->Release(), manager->Release();
    return leaks == 1 ? 0 : 1;
}
