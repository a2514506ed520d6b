/*
 * hostmem_object.h - a start for managers in C++ (17): what is the same in most of them.
 *
 *   HostmemObject<Interface>  IUnknown for a class with one interface: references and identity;
 *   HostmemHeap               IHostMalloc over the C library's malloc;
 *   HostmemManager            everything of IHostMemoryManager but the four methods of virtual memory:
 *                             derive from it, write those, and override what you do better.
 *
 * Any thread may call all of it. Linux and Windows. Not here: objects of several interfaces, class
 * factories.
 */
#ifndef HOSTMEM_OBJECT_H
#define HOSTMEM_OBJECT_H

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>

#include "hostmem.h"

/* ---- What a heap takes from the system, and how much of it is in use ----------------------- */

#ifdef _WIN32
#ifndef HOSTMEM_NO_WIN32_TYPES /* else windows.h has declared them */
extern "C" {
struct MEMORYSTATUSEX { DWORD dwLength, dwMemoryLoad; uint64_t ullTotalPhys, ullAvailPhys, others[5]; };
__declspec(dllimport) int __stdcall GlobalMemoryStatusEx(MEMORYSTATUSEX *);
__declspec(dllimport) void *__stdcall VirtualAlloc(void *, SIZE_T, DWORD, DWORD);
__declspec(dllimport) int __stdcall VirtualFree(void *, SIZE_T, DWORD);
__declspec(dllimport) int __stdcall VirtualProtect(void *, SIZE_T, DWORD, DWORD *);
__declspec(dllimport) SIZE_T __stdcall VirtualQuery(const void *, MEMORY_BASIC_INFORMATION *, SIZE_T);
__declspec(dllimport) DWORD __stdcall GetLastError(void);
typedef struct { void *pointer; } SRWLOCK;
__declspec(dllimport) void __stdcall AcquireSRWLockExclusive(SRWLOCK *);
__declspec(dllimport) void __stdcall ReleaseSRWLockExclusive(SRWLOCK *);
}
#endif

class HostmemLock { /* std::mutex, which not every compiler for Windows has */
    SRWLOCK system = {};

public:
    void lock() { AcquireSRWLockExclusive(&system); }
    void unlock() { ReleaseSRWLockExclusive(&system); }
};

inline void *hostmem_code(SIZE_T size) {
    return VirtualAlloc(nullptr, size + 1, MEM_RESERVE | MEM_COMMIT, PAGE_EXECUTE_READWRITE);
}
inline void hostmem_forget_code(void *block) { VirtualFree(block, 0, MEM_RELEASE); }
inline void hostmem_memory_load(DWORD *load, SIZE_T *available) {
    MEMORYSTATUSEX status = {};
    status.dwLength = sizeof status;
    GlobalMemoryStatusEx(&status);
    *load = status.dwMemoryLoad;
    *available = SIZE_T(status.ullAvailPhys);
}
#else
#include <sys/mman.h>
#include <unistd.h>

using HostmemLock = std::mutex;
inline void *hostmem_code(SIZE_T size) {
    const SIZE_T pages = (size + 4096) & ~SIZE_T(4095); /* code has pages of its own */
    void *block = std::aligned_alloc(4096, pages);
    if (block) mprotect(block, pages, PROT_READ | PROT_WRITE | PROT_EXEC);
    return block;
}
inline void hostmem_forget_code(void *block) { std::free(block); }
inline void hostmem_memory_load(DWORD *load, SIZE_T *available) {
    const SIZE_T all = sysconf(_SC_PHYS_PAGES), free = sysconf(_SC_AVPHYS_PAGES);
    *load = DWORD(100 - free * 100 / all);
    *available = free * sysconf(_SC_PAGESIZE);
}
#endif

/* ---- Objects ---------------------------------------------------------------------------- */

inline const IID &hostmem_iid(const IHostMemoryManager *) { return IID_IHostMemoryManager; }
inline const IID &hostmem_iid(const IHostMalloc *) { return IID_IHostMalloc; }
inline const IID &hostmem_iid(const ICLRMemoryNotificationCallback *) { return IID_ICLRMemoryNotificationCallback; }

/* Begins with one reference, its maker's, and ends with the last. */
template <class Interface> class HostmemObject : public Interface {
    std::atomic<ULONG> references{1};

    virtual void destroy() = 0; /* `delete this`, by the class itself: interfaces have no destructor */

public:
    HRESULT HOSTMEM_CALL QueryInterface(const IID &iid, void **object) override {
        if (!object) return E_POINTER;
        const IID &own = hostmem_iid(static_cast<const Interface *>(this));
        const bool known = !std::memcmp(&iid, &IID_IUnknown, sizeof iid) || !std::memcmp(&iid, &own, sizeof iid);
        *object = known ? static_cast<Interface *>(this) : nullptr;
        if (known) AddRef();
        return known ? S_OK : E_NOINTERFACE;
    }
    ULONG HOSTMEM_CALL AddRef() override { return ++references; }
    ULONG HOSTMEM_CALL Release() override {
        const ULONG left = --references;
        if (!left) destroy();
        return left;
    }
};

class HostmemHeap final : public HostmemObject<IHostMalloc> {
    const bool code;
    HostmemLock lock;
    std::set<void *> live; /* whose owner is known: anything else cannot be freed */

    void give_back(void *block) { code ? hostmem_forget_code(block) : std::free(block); }
    void destroy() override {
        for (void *block : live) give_back(block);
        delete this;
    }

public:
    explicit HostmemHeap(DWORD kind) : code(kind & MALLOC_EXECUTABLE) {}
    HRESULT HOSTMEM_CALL Alloc(SIZE_T size, EMemoryCriticalLevel, void **block) override {
        if (!block) return E_POINTER;
        *block = nullptr;
        if (size > SIZE_MAX / 2) return E_OUTOFMEMORY;
        *block = code ? hostmem_code(size) : std::malloc(size + 1);
        if (!*block) return E_OUTOFMEMORY;
        std::lock_guard<HostmemLock> hold(lock);
        live.insert(*block);
        return S_OK;
    }
    HRESULT HOSTMEM_CALL DebugAlloc(SIZE_T size, EMemoryCriticalLevel level, char *, int, void **block) override {
        return Alloc(size, level, block);
    }
    HRESULT HOSTMEM_CALL Free(void *block) override {
        std::lock_guard<HostmemLock> hold(lock);
        if (block && !live.erase(block)) return HOST_E_INVALIDOPERATION;
        if (block) give_back(block);
        return S_OK;
    }
};

class HostmemManager : public HostmemObject<IHostMemoryManager> {
    HostmemLock lock;
    ICLRMemoryNotificationCallback *callback = nullptr; /* kept, and never called */

protected:
    ~HostmemManager() {
        if (callback) callback->Release();
    }

public:
    HRESULT HOSTMEM_CALL CreateMalloc(DWORD kind, IHostMalloc **heap) override {
        if (!heap) return E_POINTER;
        *heap = kind & ~DWORD(MALLOC_THREADSAFE | MALLOC_EXECUTABLE) ? nullptr : new HostmemHeap(kind);
        return *heap ? S_OK : E_INVALIDARG;
    }
    HRESULT HOSTMEM_CALL GetMemoryLoad(DWORD *load, SIZE_T *available) override {
        if (!load || !available) return E_POINTER;
        return hostmem_memory_load(load, available), S_OK;
    }
    HRESULT HOSTMEM_CALL RegisterMemoryNotificationCallback(ICLRMemoryNotificationCallback *given) override {
        if (!given) return E_POINTER;
        given->AddRef();
        std::lock_guard<HostmemLock> hold(lock);
        if (callback) callback->Release();
        callback = given;
        return S_OK;
    }
    /* Address space is never short on 64 bits, and the system knows its mappings by itself. */
    HRESULT HOSTMEM_CALL NeedsVirtualAddressSpace(LPVOID, SIZE_T) override { return S_OK; }
    HRESULT HOSTMEM_CALL AcquiredVirtualAddressSpace(LPVOID, SIZE_T) override { return S_OK; }
    HRESULT HOSTMEM_CALL ReleasedVirtualAddressSpace(LPVOID) override { return S_OK; }
};

#endif /* HOSTMEM_OBJECT_H */
