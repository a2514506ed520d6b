// Managers that break on purpose, one for each macro: what tests/tests/com.rs expects to see caught.
// Each is host.cpp with one method wrong. Not here: a right one.
#define HostmemCreateManager CreateRightManager
#include "../host.cpp"
#undef HostmemCreateManager
#include <stdexcept>
#include <thread>

#define METHOD HRESULT HOSTMEM_CALL

struct Wrong final : HostmemObject<IHostMemoryManager> {
    IHostMemoryManager *right;
    Wrong() { CreateRightManager(nullptr, &right); }
    void destroy() override { right->Release(); delete this; }
#ifdef LEAKS  // says that somebody still holds it
    ULONG HOSTMEM_CALL Release() override { return HostmemObject::Release() + 1; }
#endif
    METHOD CreateMalloc(DWORD kind, IHostMalloc **out) override { return right->CreateMalloc(kind, out); }
    METHOD VirtualAlloc(void *a, SIZE_T n, DWORD t, DWORD p, EMemoryCriticalLevel l, void **out) override {
#ifdef CRASHES
        if (t & MEM_COMMIT) *reinterpret_cast<volatile int *>(U(8)) = 1;
#endif
#ifdef HANGS
        if (t & MEM_COMMIT) for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
#endif
#ifdef THROWS
        if (t & MEM_COMMIT) throw std::runtime_error("out of luck");
#endif
#ifdef EXITS
        if (t & MEM_COMMIT) exit(3);
#endif
#ifdef FORGETS
        if (t & MEM_COMMIT) return S_OK;  // and *ppMem is what it was
#endif
        HRESULT told = right->VirtualAlloc(a, n, t, p, l, out);
#ifdef BUG_SUCCESS  // a success that the runtime takes for a failure
        if (told == S_OK && (t & MEM_RESERVE)) return S_FALSE;
#endif
#ifdef BUG_RECOMMIT  // committing again zeroes the page
        if (told == S_OK && a && t == MEM_COMMIT && p == PAGE_READWRITE) memset(*out, 0, PAGE);
#endif
#ifdef BUG_ALIGN  // a commit returns the address asked for, not the page's
        if (told == S_OK && a && !(t & MEM_RESERVE)) *out = a;
#endif
        return told;
    }
    METHOD VirtualFree(LPVOID a, SIZE_T n, DWORD t) override {
#ifdef BUG_RELEASE  // the size of a release is not looked at
        if (t == MEM_RELEASE) n = 0;
#endif
        return right->VirtualFree(a, n, t);
    }
    METHOD VirtualQuery(void *a, void *b, SIZE_T n, SIZE_T *w) override {
        HRESULT told = right->VirtualQuery(a, b, n, w);
#ifdef OVERFLOWS
        if (told == S_OK) memset(static_cast<char *>(b) + n, 0, 8);
#endif
        return told;
    }
    METHOD VirtualProtect(void *a, SIZE_T n, DWORD p, DWORD *old) override {
        HRESULT told = right->VirtualProtect(a, n, p, old);
#ifdef BUG_OLD  // tells the new protection for the old one
        if (told == S_OK) *old = p;
#endif
        return told;
    }
    METHOD GetMemoryLoad(DWORD *l, SIZE_T *a) override { return right->GetMemoryLoad(l, a); }
    METHOD RegisterMemoryNotificationCallback(ICLRMemoryNotificationCallback *c) override {
        return right->RegisterMemoryNotificationCallback(c);
    }
    METHOD NeedsVirtualAddressSpace(LPVOID a, SIZE_T n) override { return right->NeedsVirtualAddressSpace(a, n); }
    METHOD AcquiredVirtualAddressSpace(LPVOID a, SIZE_T n) override { return right->AcquiredVirtualAddressSpace(a, n); }
    METHOD ReleasedVirtualAddressSpace(LPVOID a) override { return right->ReleasedVirtualAddressSpace(a); }
};
extern "C" HOSTMEM_EXPORT HRESULT HOSTMEM_CALL HostmemCreateManager(const char *, IHostMemoryManager **out) {
    return *out = new Wrong, S_OK;
}
