//// catch
static volatile DWORD toucher;

/* An access is made on a thread of its own, which ends at the fault. */
static LONG CALLBACK on_exception(EXCEPTION_POINTERS *info)
{
    EXCEPTION_RECORD *record = info->ExceptionRecord;
    DWORD code = record->ExceptionCode;
    int ours = GetCurrentThreadId() == toucher;
    if (!ours || (code != STATUS_ACCESS_VIOLATION && code != STATUS_GUARD_PAGE_VIOLATION))
        return EXCEPTION_CONTINUE_SEARCH;
    got.kind = FAULTED;
    got.fault = code;
    got.access = (int)record->ExceptionInformation[0];
    got.at = (unsigned char *)record->ExceptionInformation[1];
    toucher = 0;
    ExitThread(0);
}

static DWORD WINAPI touching(void *unused)
{
    (void)unused;
    toucher = GetCurrentThreadId();
    touch();
    toucher = 0;
    return 0;
}

static void caught(void)
{
    static void *handler;
    HANDLE thread;
    if (handler == NULL)
        handler = AddVectoredExceptionHandler(1, on_exception);
    thread = CreateThread(NULL, 0, touching, NULL, 0, NULL);
    need(handler != NULL && thread != NULL, "CreateThread");
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}
//// result
static void result(int done)
{
    got.kind = done ? DONE : REFUSED;
    got.error = done ? 0 : GetLastError();
}
//// alloc
static unsigned char *do_alloc(unsigned char *at, SIZE_T size, DWORD type, DWORD protect)
{
    got.address = VirtualAlloc(at, size, type, protect);
    result(got.address != NULL);
    return got.address;
}
//// free
static void do_free(unsigned char *at, SIZE_T size, DWORD type)
{
    result(VirtualFree(at, size, type));
}
//// protect
static void do_protect(unsigned char *at, SIZE_T size, DWORD protect, int with_old)
{
    DWORD old = 0;
    result(VirtualProtect(at, size, protect, with_old ? &old : NULL));
    got.old = old;
}
//// old
static void or_old(unsigned long old)
{
    permit(got.kind == DONE && got.old == old, "success with old protection 0x%lx", old);
}
//// information
static MEMORY_BASIC_INFORMATION region;
//// query
static SIZE_T filled;

static void show_region(void)
{
    if (filled > 0)
        printf("      base %p, allocation %p 0x%lx, size 0x%llx, state 0x%lx, protect 0x%lx, "
               "type 0x%lx\n",
               region.BaseAddress, region.AllocationBase, region.AllocationProtect,
               (unsigned long long)region.RegionSize, region.State, region.Protect, region.Type);
}

static void do_query(unsigned char *at, int with_buffer, SIZE_T size)
{
    memset(&region, 0, sizeof region);
    filled = VirtualQuery(at, with_buffer ? &region : NULL, size);
    result(filled > 0);
    show_region();
}
//// region
static void or_region(unsigned char *base, unsigned char *allocation, DWORD allocation_protect,
                      unsigned long long size, DWORD state, DWORD protect, DWORD type)
{
    int same = region.BaseAddress == base && region.AllocationBase == allocation
        && region.RegionSize == size && region.State == state && region.Type == type;
    /* Of free memory these fields say nothing. */
    int same_protect = state == MEM_FREE
        || (region.AllocationProtect == allocation_protect && region.Protect == protect);
    permit(got.kind == DONE && same && same_protect,
           "base %p, allocation %p 0x%lx, size 0x%llx, state 0x%lx, protect 0x%lx, type 0x%lx",
           (void *)base, (void *)allocation, allocation_protect, size, state, protect, type);
}
//// any_region
static void or_any_region(void)
{
    permit(got.kind == DONE, "some region");
}
//// no_bytes
static void or_no_bytes(void)
{
    permit(got.kind == REFUSED || filled == 0, "nothing written");
}
//// walk
static void do_walk(unsigned char *from, unsigned char *to)
{
    unsigned char *at = from;
    int contiguous = 1;
    while (at < to) {
        if (VirtualQuery(at, &region, sizeof region) == 0)
            break;
        if (at != from && (unsigned char *)region.BaseAddress != at)
            contiguous = 0;
        at = (unsigned char *)region.BaseAddress + region.RegionSize;
    }
    permit(contiguous, "regions without a gap");
}
//// watch
static void *pages[1024];
static ULONG_PTR page_count;

static void do_get_watch(unsigned char *at, SIZE_T size, DWORD flags, ULONG_PTR capacity,
                         int nulls)
{
    DWORD unit = 0;
    UINT failed;
    page_count = capacity < 1024 ? capacity : 1024;
    failed = GetWriteWatch(flags, at, size, nulls & 1 ? NULL : pages,
                           nulls & 2 ? NULL : &page_count, nulls & 4 ? NULL : &unit);
    got.kind = failed ? REFUSED : DONE;
    got.error = failed ? GetLastError() : 0;
    if (!failed)
        printf("      %lu pages\n", (unsigned long)page_count);
}
//// reset_watch
static void do_reset_watch(unsigned char *at, SIZE_T size)
{
    UINT failed = ResetWriteWatch(at, size);
    got.kind = failed ? REFUSED : DONE;
    got.error = failed ? GetLastError() : 0;
}
//// pages
static void or_pages(unsigned char *const *these, ULONG_PTR count)
{
    ULONG_PTR i;
    int same = got.kind == DONE && page_count == count;
    for (i = 0; same && i < count; i++)
        same = pages[i] == these[i];
    permit(same, "%lu pages, the first %p", (unsigned long)count,
           count ? (void *)these[0] : NULL);
}
//// load
static void do_memory_load(void)
{
    MEMORYSTATUSEX status;
    status.dwLength = sizeof status;
    result(GlobalMemoryStatusEx(&status));
}
//// hole
static unsigned char *do_hole(SIZE_T size)
{
    unsigned char *at = VirtualAlloc(NULL, size, MEM_RESERVE, PAGE_NOACCESS);
    need(at != NULL && VirtualFree(at, 0, MEM_RELEASE), "a hole");
    return at;
}
