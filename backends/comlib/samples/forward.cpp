// The smallest host in C++: it forwards to hostmem's own manager and keeps a quota. Build and check:
//   g++ -std=c++17 -shared -fPIC -Ibackends/comlib/include backends/comlib/samples/forward.cpp -o forward.so
//   hostmem replay scenarios --backend com:./forward.so#target/release/libhostmem_comlib.so
// (`cargo build --release -p hostmem-comlib` makes the library that it forwards to.)
#include <dlfcn.h>
#include <atomic>
#include <cstring>
#include "hostmem.h"

class Forward final : public IHostMemoryManager {
    IHostMemoryManager *const inner;  // one reference, ours
    const SIZE_T quota;               // bytes that one request may commit
    std::atomic<ULONG> references{1};

public:
    Forward(IHostMemoryManager *manager, SIZE_T bytes) : inner(manager), quota(bytes) {}

    HRESULT QueryInterface(const IID &iid, void **object) override {
        if (!object) return E_POINTER;
        *object = nullptr;
        if (memcmp(&iid, &IID_IUnknown, sizeof iid) && memcmp(&iid, &IID_IHostMemoryManager, sizeof iid))
            return E_NOINTERFACE;
        *object = this;
        AddRef();
        return S_OK;
    }
    ULONG AddRef() override { return ++references; }
    ULONG Release() override {
        const ULONG left = --references;
        if (left == 0) {
            inner->Release();
            delete this;
        }
        return left;
    }

    HRESULT CreateMalloc(DWORD kind, IHostMalloc **heap) override { return inner->CreateMalloc(kind, heap); }
    HRESULT VirtualAlloc(void *address, SIZE_T size, DWORD type, DWORD protect, EMemoryCriticalLevel level,
                         void **base) override {
        if (base && (type & MEM_COMMIT) && size > quota && level == eTaskCritical) {
            *base = nullptr;  // only a task is endangered: let it fail
            return E_OUTOFMEMORY;
        }
        return inner->VirtualAlloc(address, size, type, protect, level, base);
    }
    HRESULT VirtualFree(LPVOID address, SIZE_T size, DWORD type) override {
        return inner->VirtualFree(address, size, type);
    }
    HRESULT VirtualQuery(void *address, void *buffer, SIZE_T length, SIZE_T *written) override {
        return inner->VirtualQuery(address, buffer, length, written);
    }
    HRESULT VirtualProtect(void *address, SIZE_T size, DWORD protect, DWORD *old) override {
        return inner->VirtualProtect(address, size, protect, old);
    }
    HRESULT GetMemoryLoad(DWORD *load, SIZE_T *available) override {
        return inner->GetMemoryLoad(load, available);
    }
    HRESULT RegisterMemoryNotificationCallback(ICLRMemoryNotificationCallback *callback) override {
        return inner->RegisterMemoryNotificationCallback(callback);
    }
    HRESULT NeedsVirtualAddressSpace(LPVOID start, SIZE_T size) override {
        return inner->NeedsVirtualAddressSpace(start, size);
    }
    HRESULT AcquiredVirtualAddressSpace(LPVOID start, SIZE_T size) override {
        return inner->AcquiredVirtualAddressSpace(start, size);
    }
    HRESULT ReleasedVirtualAddressSpace(LPVOID start) override { return inner->ReleasedVirtualAddressSpace(start); }
};

// `backend` is the library to forward to: the text behind the # of com:PATH#TEXT.
extern "C" HOSTMEM_EXPORT HRESULT HostmemCreateManager(const char *backend, IHostMemoryManager **manager) {
    if (!manager) return E_POINTER;
    *manager = nullptr;
    void *library = dlopen(backend, RTLD_NOW | RTLD_LOCAL);
    void *create = library ? dlsym(library, "HostmemCreateManager") : nullptr;
    if (!create) return E_INVALIDARG;
    IHostMemoryManager *inner = nullptr;
    const HRESULT told = reinterpret_cast<decltype(&HostmemCreateManager)>(create)("linux", &inner);
    if (told == S_OK) *manager = new Forward(inner, SIZE_T(1) << 30);
    return told;
}
