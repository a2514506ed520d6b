// A host memory manager over VirtualAlloc, for Windows: the system does the work. Build and check:
//   x86_64-w64-mingw32-g++ -std=c++17 -O1 -shared -static -Ibackends/comlib/include backends/comlib/samples/win32.cpp -o win32.dll
//   hostmem.exe check --backend com:./win32.dll
// Not here: write watch, which the runtime asks the system for, and notices of low memory.
#include "hostmem_object.h"

// The last error as the runtime wants it: too little memory, or any other failure.
static HRESULT failed() {
    const DWORD error = GetLastError();
    return error == 8 || error == 1455 ? E_OUTOFMEMORY : HRESULT_FROM_WIN32(error);
}

struct Manager final : HostmemManager {
    void destroy() override { delete this; }
    HRESULT VirtualAlloc(void *where, SIZE_T size, DWORD kind, DWORD protect, EMemoryCriticalLevel, void **out) override {
        if (!out) return E_POINTER;
        *out = ::VirtualAlloc(where, size, kind, protect);
        return *out ? S_OK : failed();
    }
    HRESULT VirtualFree(void *where, SIZE_T size, DWORD kind) override {
        if (::VirtualFree(where, size, kind)) return S_OK;
        MEMORY_BASIC_INFORMATION page = {};  // memory of nobody's has a code of its own
        const bool nobodys = ::VirtualQuery(where, &page, sizeof page) && page.State == MEM_FREE;
        return nobodys && GetLastError() != ERROR_INVALID_PARAMETER ? HOST_E_INVALIDOPERATION : failed();
    }
    HRESULT VirtualQuery(void *where, void *buffer, SIZE_T length, SIZE_T *written) override {
        if (!written) return E_POINTER;
        *written = 0;
        if (!buffer) return E_POINTER;  // some systems do not survive the question
        *written = ::VirtualQuery(where, static_cast<MEMORY_BASIC_INFORMATION *>(buffer), length);
        return *written ? S_OK : failed();
    }
    HRESULT VirtualProtect(void *where, SIZE_T size, DWORD protect, DWORD *old) override {
        return ::VirtualProtect(where, size, protect, old) ? S_OK : failed();
    }
};

extern "C" HOSTMEM_EXPORT const char *HOSTMEM_CALL HostmemLacks() { return "write-watch"; }
extern "C" HOSTMEM_EXPORT HRESULT HOSTMEM_CALL HostmemCreateManager(const char *, IHostMemoryManager **out) {
    return out ? (*out = new Manager, S_OK) : E_POINTER;
}
