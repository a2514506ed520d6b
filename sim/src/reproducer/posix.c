//// guards
/* Pages whose first access is to be noticed: inaccessible until then. */
static struct {
    unsigned char *page;
    int protect;
} guards[4096];

static int disarm(unsigned char *at)
{
    size_t i;
    for (i = 0; i < sizeof guards / sizeof *guards; i++) {
        unsigned char *page = guards[i].page;
        if (page != NULL && at >= page && at < page + PAGE) {
            guards[i].page = NULL;
            return mprotect(page, PAGE, guards[i].protect) == 0;
        }
    }
    return 0;
}
//// catch
static sigjmp_buf landing;

static void on_signal(int number, siginfo_t *info, void *context)
{
    unsigned char *at = info->si_addr;
    (void)number;
    (void)context;
    got.kind = FAULTED;
    got.fault = disarm(at) ? 0x80000001UL : 0xC0000005UL;
    got.access = wanted == LOAD ? 0 : wanted == STORE ? 1 : 8;
    got.at = at;
    siglongjmp(landing, 1);
}

static void caught(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    need(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0,
         "sigaction");
    if (sigsetjmp(landing, 1) == 0)
        touch();
}
//// forget
static void forget(unsigned char *at, size_t size)
{
    size_t i;
    for (i = 0; i < sizeof guards / sizeof *guards; i++)
        if (guards[i].page >= at && guards[i].page < at + size)
            guards[i].page = NULL;
}
//// arm
static void arm(unsigned char *at, size_t size, int protect)
{
    size_t i;
    forget(at, size);
    need(mprotect(at, size, PROT_NONE) == 0, "mprotect");
    for (i = 0; size > 0 && i < sizeof guards / sizeof *guards; i++) {
        if (guards[i].page == NULL) {
            guards[i].page = at;
            guards[i].protect = protect;
            at += PAGE;
            size -= PAGE;
        }
    }
    need(size == 0, "a table of guards");
}
//// map
/* Address space on a boundary of 64 KiB, as Windows gives it. */
static unsigned char *map(size_t size)
{
    size_t whole = size + GRANULARITY;
    unsigned char *start, *at;
    start = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    need(start != MAP_FAILED, "mmap");
    at = start + (GRANULARITY - (uintptr_t)start % GRANULARITY) % GRANULARITY;
    need(at == start || munmap(start, (size_t)(at - start)) == 0, "munmap");
    need(munmap(at + size, (size_t)(start + whole - (at + size))) == 0, "munmap");
    got.address = at;
    return at;
}
//// map_at
static unsigned char *map_at(unsigned char *at, size_t size)
{
    unsigned char *found;
    found = mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    need(found == at, "mmap at that address");
    got.address = at;
    return at;
}
//// protect
static void protect(unsigned char *at, size_t size, int protection)
{
    forget(at, size);
    need(mprotect(at, size, protection) == 0, "mprotect");
}
//// empty
/* Decommit: a fresh mapping over the old one takes its memory away. */
static void empty(unsigned char *at, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    forget(at, size);
    need(mmap(at, size, PROT_NONE, flags, -1, 0) == at, "mmap");
}
//// unmap
static void unmap(unsigned char *at, size_t size)
{
    forget(at, size);
    need(munmap(at, size) == 0, "munmap");
}
//// discard
static void discard(unsigned char *at, size_t size)
{
    need(madvise(at, size, MADV_DONTNEED) == 0, "madvise");
}
