/*
 * hostmem.h - IHostMemoryManager for C and C++, on Linux and on Windows.
 *
 * Two uses, one interface:
 *
 *   1. Take hostmem's manager: link with libhostmem_comlib and call HostmemCreateManager.
 *   2. Have your manager checked: export HostmemCreateManager from a shared library of your
 *      own and run `hostmem check --backend com:./libyours.so`. Every case is a fresh process
 *      that calls the function once; a crash, an exit, a C++ exception that gets out and a
 *      call that takes too long are results.
 *
 * The interfaces are those of mscoree.idl (.NET Framework 2.0 and later), in the order of the
 * IDL, which is the order of the vtable; the constants are those of winnt.h. Everything is
 * in-process, free-threaded and raw: any method may be called from any thread at any time, also
 * while other threads are suspended, and no exception may leave a method.
 *
 * In C++ an interface is an abstract class: single inheritance, no data, and no virtual
 * destructor (one would take two slots of the vtable). In C it is a struct that begins with a
 * pointer to a table of functions, whose first argument is the object. Both have the same
 * bytes on x86-64 and arm64. Where Microsoft's own headers are included before this one,
 * define HOSTMEM_NO_WIN32_TYPES and HOSTMEM_NO_MSCOREE as far as they define the same names.
 */
#ifndef HOSTMEM_H
#define HOSTMEM_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && !defined(_WIN64)
#define HOSTMEM_CALL __stdcall /* the methods' convention on 32-bit x86 */
#else
#define HOSTMEM_CALL
#endif

#if defined(_WIN32)
#define HOSTMEM_EXPORT __declspec(dllexport)
#else
#define HOSTMEM_EXPORT __attribute__((visibility("default")))
#endif

/* ---- Types and constants of Windows ----------------------------------------------------- */

#ifndef HOSTMEM_NO_WIN32_TYPES

typedef int32_t HRESULT; /* negative: failure. The runtime takes S_OK alone for success. */
typedef uint32_t DWORD;
typedef uint32_t ULONG;
typedef size_t SIZE_T;
typedef void *LPVOID;

typedef struct GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;
typedef GUID IID;

#define HOSTMEM_HRESULT(code) ((HRESULT)(uint32_t)(code))
#define S_OK HOSTMEM_HRESULT(0)
#define S_FALSE HOSTMEM_HRESULT(1) /* a success that VirtualAlloc's caller takes for a failure */
#define E_NOTIMPL HOSTMEM_HRESULT(0x80004001)
#define E_NOINTERFACE HOSTMEM_HRESULT(0x80004002)
#define E_POINTER HOSTMEM_HRESULT(0x80004003)
#define E_FAIL HOSTMEM_HRESULT(0x80004005)
#define E_UNEXPECTED HOSTMEM_HRESULT(0x8000FFFF)
#define E_ACCESSDENIED HOSTMEM_HRESULT(0x80070005)
#define E_OUTOFMEMORY HOSTMEM_HRESULT(0x8007000E) /* out of address space, commit or memory */
#define E_INVALIDARG HOSTMEM_HRESULT(0x80070057)  /* ERROR_INVALID_PARAMETER, 87 */
/* Any other Win32 error as an HRESULT; ERROR_INVALID_ADDRESS is 487. */
#define HRESULT_FROM_WIN32(error) HOSTMEM_HRESULT(0x80070000u | ((uint32_t)(error) & 0xFFFFu))
#define ERROR_INVALID_PARAMETER 87  /* an argument is malformed */
#define ERROR_INVALID_ADDRESS 487   /* the address does not fit the state of the memory */
#define ERROR_BAD_LENGTH 24         /* VirtualQuery: the buffer is shorter than 48 bytes */
#define ERROR_NOACCESS 998          /* an out pointer cannot be written */

#define MEM_COMMIT 0x00001000      /* back pages of a reservation with zeroed memory */
#define MEM_RESERVE 0x00002000     /* take a range of addresses */
#define MEM_DECOMMIT 0x00004000    /* take the memory away, keep the addresses */
#define MEM_RELEASE 0x00008000     /* give a whole reservation back: its base, and size 0 */
#define MEM_FREE 0x00010000        /* State: belongs to no allocation */
#define MEM_PRIVATE 0x00020000     /* Type: what VirtualAlloc makes */
#define MEM_MAPPED 0x00040000      /* Type: a view of a file */
#define MEM_RESET 0x00080000       /* the contents are of no interest until written again */
#define MEM_TOP_DOWN 0x00100000    /* choose the highest suitable address */
#define MEM_WRITE_WATCH 0x00200000 /* record writes: refuse what you cannot do */
#define MEM_PHYSICAL 0x00400000
#define MEM_RESET_UNDO 0x01000000
#define MEM_IMAGE 0x01000000 /* Type: a mapped image */
#define MEM_LARGE_PAGES 0x20000000

#define PAGE_NOACCESS 0x01
#define PAGE_READONLY 0x02
#define PAGE_READWRITE 0x04
#define PAGE_WRITECOPY 0x08
#define PAGE_EXECUTE 0x10 /* readable on x64 */
#define PAGE_EXECUTE_READ 0x20
#define PAGE_EXECUTE_READWRITE 0x40
#define PAGE_EXECUTE_WRITECOPY 0x80
#define PAGE_GUARD 0x100 /* the first access raises STATUS_GUARD_PAGE_VIOLATION */
#define PAGE_NOCACHE 0x200
#define PAGE_WRITECOMBINE 0x400

/* What VirtualQuery writes: a run of pages that are alike. 48 bytes on 64 bits. */
typedef struct MEMORY_BASIC_INFORMATION {
    void *BaseAddress;       /* the queried address rounded down to its page */
    void *AllocationBase;    /* of the reservation; null if free */
    DWORD AllocationProtect; /* as reserved; 0 if free */
#if UINTPTR_MAX > 0xFFFFFFFFu
    uint16_t PartitionId; /* 0; padding in older SDKs */
#endif
    SIZE_T RegionSize; /* bytes from BaseAddress to the end of the run */
    DWORD State;       /* MEM_COMMIT, MEM_RESERVE or MEM_FREE */
    DWORD Protect;     /* 0 where reserved, PAGE_NOACCESS where free */
    DWORD Type;        /* MEM_PRIVATE, ...; 0 if free */
} MEMORY_BASIC_INFORMATION;

#endif /* HOSTMEM_NO_WIN32_TYPES */

/* The codes of the hosting interface (corerror.h). */
#ifndef HOST_E_INVALIDOPERATION
#define HOST_E_INVALIDOPERATION HOSTMEM_HRESULT(0x80131022) /* not allocated through this host */
#define HOST_E_CLRNOTAVAILABLE HOSTMEM_HRESULT(0x80131023)
#define HOST_E_TIMEOUT HOSTMEM_HRESULT(0x80131024)
#define HOST_E_NOT_OWNER HOSTMEM_HRESULT(0x80131025)
#define HOST_E_ABANDONED HOSTMEM_HRESULT(0x80131026)
#endif

#define HOSTMEM_GUID(name, a, b, c, d0, d1, d2, d3, d4, d5, d6, d7) \
    static const GUID name = {a, b, c, {d0, d1, d2, d3, d4, d5, d6, d7}}

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#ifdef __cplusplus
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#endif
#endif

/* ---- The hosting interface (mscoree.idl) ------------------------------------------------- */

#ifndef HOSTMEM_NO_MSCOREE

HOSTMEM_GUID(IID_IUnknown, 0x00000000, 0x0000, 0x0000, 0xC0, 0, 0, 0, 0, 0, 0, 0x46);
HOSTMEM_GUID(IID_IHostMemoryManager, 0x7BC698D1, 0xF9E3, 0x4460, 0x9C, 0xDE, 0xD0, 0x42, 0x48,
             0xE9, 0xFA, 0x25);
HOSTMEM_GUID(IID_IHostMalloc, 0x1831991C, 0xCC53, 0x4A31, 0xB2, 0x18, 0x04, 0xE9, 0x10, 0x44,
             0x64, 0x79);
HOSTMEM_GUID(IID_ICLRMemoryNotificationCallback, 0x47EB8E57, 0x0846, 0x4546, 0xAF, 0x76, 0x6F,
             0x42, 0xFC, 0xFC, 0x26, 0x49);

/* All enumerations are 32-bit words; a caller may pass numbers that have no name. */
typedef enum EMemoryAvailable {
    eMemoryAvailableLow = 1, /* very little physical memory is left */
    eMemoryAvailableNeutral = 2,
    eMemoryAvailableHigh = 3 /* plenty; there is no 0 */
} EMemoryAvailable;

typedef enum EMemoryCriticalLevel { /* what a failure of the request endangers */
    eTaskCritical = 0,
    eAppDomainCritical = 1,
    eProcessCritical = 2
} EMemoryCriticalLevel;

typedef enum MALLOC_TYPE {  /* bits */
    MALLOC_THREADSAFE = 1,  /* the heap may be called from many threads at once */
    MALLOC_EXECUTABLE = 2   /* blocks may hold code */
} MALLOC_TYPE;

#ifdef __cplusplus

struct IUnknown {
    /* Null out pointer and E_NOINTERFACE for what the object is not. */
    virtual HRESULT HOSTMEM_CALL QueryInterface(const IID &riid, void **ppvObject) = 0; /* 0 */
    virtual ULONG HOSTMEM_CALL AddRef() = 0;                                            /* 1 */
    virtual ULONG HOSTMEM_CALL Release() = 0; /* 2; 0 when the object is gone */
};

struct ICLRMemoryNotificationCallback : IUnknown { /* the caller implements it */
    /* Never blocks. Call it when the state changes, from any thread, holding no lock. */
    virtual HRESULT HOSTMEM_CALL OnMemoryNotification(EMemoryAvailable eMemoryAvailable) = 0;
};

struct IHostMalloc : IUnknown { /* a heap */
    /* A block of at least cbSize bytes, aligned to 16 bytes on 64 bits, contents undefined. */
    virtual HRESULT HOSTMEM_CALL Alloc(SIZE_T cbSize, EMemoryCriticalLevel eCriticalLevel,
                                       void **ppMem) = 0; /* 3 */
    /* The same, with the caller's source file and line for reports of leaks. */
    virtual HRESULT HOSTMEM_CALL DebugAlloc(SIZE_T cbSize, EMemoryCriticalLevel eCriticalLevel,
                                            char *pszFileName, int iLineNo,
                                            void **ppMem) = 0; /* 4 */
    /* S_OK for null; HOST_E_INVALIDOPERATION for what is no live block of this heap. */
    virtual HRESULT HOSTMEM_CALL Free(void *pMem) = 0; /* 5 */
};

struct IHostMemoryManager : IUnknown {
    /* A new heap with one reference, the caller's. dwMallocType: MALLOC_TYPE bits. */
    virtual HRESULT HOSTMEM_CALL CreateMalloc(DWORD dwMallocType,
                                              IHostMalloc **ppMalloc) = 0; /* 3 */
    /* Win32 VirtualAlloc. S_OK: *ppMem is written; failure: *ppMem is null. */
    virtual HRESULT HOSTMEM_CALL VirtualAlloc(void *pAddress, SIZE_T dwSize,
                                              DWORD flAllocationType, DWORD flProtect,
                                              EMemoryCriticalLevel eCriticalLevel,
                                              void **ppMem) = 0; /* 4 */
    /* Win32 VirtualFree. HOST_E_INVALIDOPERATION for memory of somebody else's. */
    virtual HRESULT HOSTMEM_CALL VirtualFree(LPVOID lpAddress, SIZE_T dwSize,
                                             DWORD dwFreeType) = 0; /* 5 */
    /* Win32 VirtualQuery of any address of the process, without locks and allocation.
     * lpBuffer: a MEMORY_BASIC_INFORMATION; *pResult: the bytes written. */
    virtual HRESULT HOSTMEM_CALL VirtualQuery(void *lpAddress, void *lpBuffer, SIZE_T dwLength,
                                              SIZE_T *pResult) = 0; /* 6 */
    /* Win32 VirtualProtect. *pflOldProtect: what the first page had. */
    virtual HRESULT HOSTMEM_CALL VirtualProtect(void *lpAddress, SIZE_T dwSize,
                                                DWORD flNewProtect,
                                                DWORD *pflOldProtect) = 0; /* 7 */
    /* Percent of physical memory in use, and the bytes that the runtime may still take. */
    virtual HRESULT HOSTMEM_CALL GetMemoryLoad(DWORD *pMemoryLoad,
                                               SIZE_T *pAvailableBytes) = 0; /* 8 */
    /* AddRef and keep it for as long as the manager lives. */
    virtual HRESULT HOSTMEM_CALL RegisterMemoryNotificationCallback(
        ICLRMemoryNotificationCallback *pCallback) = 0; /* 9 */
    /* A mapping of size bytes (0: a whole file) at startAddress (null: anywhere) failed. A
     * success makes the runtime try once more, E_OUTOFMEMORY makes it give up. */
    virtual HRESULT HOSTMEM_CALL NeedsVirtualAddressSpace(LPVOID startAddress,
                                                          SIZE_T size) = 0; /* 10 */
    /* The runtime mapped size bytes (0: it does not say) by itself. */
    virtual HRESULT HOSTMEM_CALL AcquiredVirtualAddressSpace(LPVOID startAddress,
                                                             SIZE_T size) = 0; /* 11 */
    /* And unmapped them. */
    virtual HRESULT HOSTMEM_CALL ReleasedVirtualAddressSpace(LPVOID startAddress) = 0; /* 12 */
};

#else /* C */

typedef struct IUnknown IUnknown;
typedef struct ICLRMemoryNotificationCallback ICLRMemoryNotificationCallback;
typedef struct IHostMalloc IHostMalloc;
typedef struct IHostMemoryManager IHostMemoryManager;

#define HOSTMEM_IUNKNOWN(I)                                                                \
    HRESULT(HOSTMEM_CALL *QueryInterface)(I * This, const IID *riid, void **ppvObject);    \
    ULONG(HOSTMEM_CALL *AddRef)(I * This);                                                 \
    ULONG(HOSTMEM_CALL *Release)(I * This);

typedef struct IUnknownVtbl {
    HOSTMEM_IUNKNOWN(IUnknown)
} IUnknownVtbl;
struct IUnknown { const IUnknownVtbl *lpVtbl; };

typedef struct ICLRMemoryNotificationCallbackVtbl {
    HOSTMEM_IUNKNOWN(ICLRMemoryNotificationCallback)
    HRESULT(HOSTMEM_CALL *OnMemoryNotification)(ICLRMemoryNotificationCallback *This,
                                                EMemoryAvailable eMemoryAvailable);
} ICLRMemoryNotificationCallbackVtbl;
struct ICLRMemoryNotificationCallback { const ICLRMemoryNotificationCallbackVtbl *lpVtbl; };

typedef struct IHostMallocVtbl {
    HOSTMEM_IUNKNOWN(IHostMalloc)
    HRESULT(HOSTMEM_CALL *Alloc)(IHostMalloc *This, SIZE_T cbSize,
                                 EMemoryCriticalLevel eCriticalLevel, void **ppMem);
    HRESULT(HOSTMEM_CALL *DebugAlloc)(IHostMalloc *This, SIZE_T cbSize,
                                      EMemoryCriticalLevel eCriticalLevel, char *pszFileName,
                                      int iLineNo, void **ppMem);
    HRESULT(HOSTMEM_CALL *Free)(IHostMalloc *This, void *pMem);
} IHostMallocVtbl;
struct IHostMalloc { const IHostMallocVtbl *lpVtbl; };

/* What the methods mean stands with the C++ class above. */
typedef struct IHostMemoryManagerVtbl {
    HOSTMEM_IUNKNOWN(IHostMemoryManager)
    HRESULT(HOSTMEM_CALL *CreateMalloc)(IHostMemoryManager *This, DWORD dwMallocType,
                                        IHostMalloc **ppMalloc);
    HRESULT(HOSTMEM_CALL *VirtualAlloc)(IHostMemoryManager *This, void *pAddress, SIZE_T dwSize,
                                        DWORD flAllocationType, DWORD flProtect,
                                        EMemoryCriticalLevel eCriticalLevel, void **ppMem);
    HRESULT(HOSTMEM_CALL *VirtualFree)(IHostMemoryManager *This, LPVOID lpAddress,
                                       SIZE_T dwSize, DWORD dwFreeType);
    HRESULT(HOSTMEM_CALL *VirtualQuery)(IHostMemoryManager *This, void *lpAddress,
                                        void *lpBuffer, SIZE_T dwLength, SIZE_T *pResult);
    HRESULT(HOSTMEM_CALL *VirtualProtect)(IHostMemoryManager *This, void *lpAddress,
                                          SIZE_T dwSize, DWORD flNewProtect,
                                          DWORD *pflOldProtect);
    HRESULT(HOSTMEM_CALL *GetMemoryLoad)(IHostMemoryManager *This, DWORD *pMemoryLoad,
                                         SIZE_T *pAvailableBytes);
    HRESULT(HOSTMEM_CALL *RegisterMemoryNotificationCallback)(
        IHostMemoryManager *This, ICLRMemoryNotificationCallback *pCallback);
    HRESULT(HOSTMEM_CALL *NeedsVirtualAddressSpace)(IHostMemoryManager *This,
                                                    LPVOID startAddress, SIZE_T size);
    HRESULT(HOSTMEM_CALL *AcquiredVirtualAddressSpace)(IHostMemoryManager *This,
                                                       LPVOID startAddress, SIZE_T size);
    HRESULT(HOSTMEM_CALL *ReleasedVirtualAddressSpace)(IHostMemoryManager *This,
                                                       LPVOID startAddress);
} IHostMemoryManagerVtbl;
struct IHostMemoryManager { const IHostMemoryManagerVtbl *lpVtbl; };

#endif /* __cplusplus */
#endif /* HOSTMEM_NO_MSCOREE */

/* ---- hostmem's own, and optional ---------------------------------------------------------
 *
 * A manager whose memory is simulated is asked through this interface instead of having its
 * memory touched; QueryInterface says whether it is there. Real managers leave it out, and
 * hostmem reads and writes their memory with the processor. A page that a real manager's
 * VirtualQuery shows as PAGE_GUARD need only be inaccessible: hostmem plays the kernel's part,
 * takes the flag off with VirtualProtect and reports the guard. */

HOSTMEM_GUID(IID_IHostmemInstruments, 0x6E1A7C52, 0x3B0D, 0x4C0A, 0x9D, 0x55, 0x8F, 0x2B, 0x6A,
             0x40, 0xC1, 0xE7);

HOSTMEM_GUID(IID_IHostmemWriteWatch, 0xA0C34F0E, 0x6B0B, 0x4F0D, 0x8E, 0x59, 0x0D, 0x5C, 0x9B, 0x8E,
             0x2A, 0x31);
HOSTMEM_GUID(IID_IHostmemReport, 0x3D7B6C1A, 0x94E5, 0x4B6E, 0x9C, 0x0F, 0x52, 0xD1, 0xA7, 0xE4,
             0xF0, 0xB6);

#define HOSTMEM_ABILITY_ACCESS 1        /* Read, Write and Execute answer */
#define HOSTMEM_ABILITY_LOAD_CONTROL 2  /* SetMemoryLoad answers */
#define HOSTMEM_ABILITY_PRIVATE_ARENA 4 /* free regions have exact sizes */

typedef struct HostmemFault { /* the exception that an access raised */
    uint32_t status;  /* 0xC0000005 access violation, 0x80000001 guard page violation */
    uint32_t access;  /* 0 read, 1 write, 8 execute */
    uint64_t address; /* the first byte of the access on the faulting page */
} HostmemFault;

#ifdef __cplusplus
struct IHostmemInstruments : IUnknown {
    virtual HRESULT HOSTMEM_CALL Abilities(uint32_t *pAbilities) = 0; /* 3 */
    /* 4, 5: one access. S_FALSE with the fault written if there was one. */
    virtual HRESULT HOSTMEM_CALL Read(uint64_t address, size_t size, uint8_t *bytes,
                                      HostmemFault *fault) = 0;
    virtual HRESULT HOSTMEM_CALL Write(uint64_t address, size_t size, const uint8_t *bytes,
                                       HostmemFault *fault) = 0;
    /* 6: calls the code at address if it is c3 (ret); else 0x8007000B, and the byte. */
    virtual HRESULT HOSTMEM_CALL Execute(uint64_t address, uint8_t *byte,
                                         HostmemFault *fault) = 0;
    /* 7: delivers the notifications that the change causes before it returns. */
    virtual HRESULT HOSTMEM_CALL SetMemoryLoad(uint32_t load, uint64_t available) = 0;
};

/* The hosting interface has no write watch: the runtime calls the system for it. A manager that
 * grants MEM_WRITE_WATCH answers here; without this interface, or where both functions return
 * E_NOTIMPL, nothing is asked that needs it. */
struct IHostmemWriteWatch : IUnknown {
    /* 3: Win32 GetWriteWatch. dwFlags: 1 clears what is reported; *lpdwCount: room in, pages out. */
    virtual HRESULT HOSTMEM_CALL GetWriteWatch(DWORD dwFlags, void *lpBaseAddress, SIZE_T dwRegionSize,
                                               void **lpAddresses, SIZE_T *lpdwCount,
                                               DWORD *lpdwGranularity) = 0;
    virtual HRESULT HOSTMEM_CALL ResetWriteWatch(void *lpBaseAddress, SIZE_T dwRegionSize) = 0; /* 4 */
};

/* What a manager knows of its heaps. hostmem's own has it: a host asks for it when it believes
 * that everything is freed. */
struct IHostmemReport : IUnknown {
    /* 3: tell(context, "heap 0: 10 bytes from gc.cpp:77") for each block that is not freed; file
     * and line are those of DebugAlloc. */
    virtual HRESULT HOSTMEM_CALL Leaks(void(HOSTMEM_CALL *tell)(void *context, const char *line),
                                       void *context) = 0;
};
#endif

/* The machine that a manager is to show, in bytes. */
#define HOSTMEM_UNSTATED UINT64_MAX /* no such limit is stated */
typedef struct HostmemMachine {
    uint64_t page, granularity;        /* powers of two: 4096 and 65536 */
    uint64_t lowest, highest;          /* of user space, inclusive: 0x10000 and 0x7FFFFFFEFFFF */
    uint64_t physical, commit_limit;   /* or HOSTMEM_UNSTATED */
} HostmemMachine;

/* ---- The functions of a shared library: the first is enough -------------------------------- */

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes a fresh manager and hands out one reference to it.
 *
 * backend   libhostmem_comlib: null or "" for real memory of the system that it is on ("linux",
 *           "win32"), "linux-pressure" or "win32-pressure" for the same with callbacks that are
 *           told of the system's memory pressure, "model" for simulated memory. A library under test may ignore it; `com:PATH#TEXT` passes TEXT.
 * manager   receives the manager; null on failure.
 *
 * S_OK; E_POINTER: manager is null; E_INVALIDARG: no such backend; E_NOTIMPL: not on this system;
 * E_OUTOFMEMORY: no address space.
 *
 * Real memory of libhostmem_comlib's comes with a handler of faults (SIGSEGV and SIGBUS, or a
 * vectored exception handler), which hands on whatever is not its own, to the handler that was
 * there before.
 */
HOSTMEM_EXPORT HRESULT HOSTMEM_CALL HostmemCreateManager(const char *backend,
                                                         struct IHostMemoryManager **manager);

/*
 * Optional: the same, for a manager that can show another machine (null: the usual one). Scenarios
 * that ask for one are skipped without it; `check --fail-each` uses it to make memory short.
 * E_INVALIDARG: no such machine.
 */
HOSTMEM_EXPORT HRESULT HOSTMEM_CALL HostmemCreateManagerOn(const char *backend,
                                                           const HostmemMachine *machine,
                                                           struct IHostMemoryManager **manager);

/*
 * Optional: what the managers of this library cannot do, as names of capabilities with spaces
 * between them: "guard-pages nocache reset". What needs one of them is skipped, and said to be.
 * The names: contents faults execute guard-pages write-watch buffers malloc memory-load
 * memory-load-control notifications address-space-notices top-down reset nocache query
 * private-arena.
 */
HOSTMEM_EXPORT const char *HOSTMEM_CALL HostmemLacks(void);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#endif /* HOSTMEM_H */
