//// core
enum kind { DONE, REFUSED, FAULTED };

/* What the last call came to. */
static struct {
    enum kind kind;
    unsigned long error;   /* REFUSED */
    unsigned long fault;   /* FAULTED: the exception code, what was attempted, and where */
    int access;
    unsigned char *at;
    unsigned char *address; /* DONE: what the call gave */
    unsigned long old;
    unsigned char *bytes;
    size_t size;
} got;

/* What the law permits for it. */
static char permitted[4096];
static int fits;

static void permit(int fit, const char *format, ...)
{
    va_list rest;
    size_t used = strlen(permitted);
    if (used > 0 && used + 4 < sizeof permitted) {
        strcat(permitted, " or ");
        used += 4;
    }
    va_start(rest, format);
    vsnprintf(permitted + used, sizeof permitted - used, format, rest);
    va_end(rest);
    fits |= fit;
}

static void begin(const char *step)
{
    printf("%s\n", step);
    fflush(stdout);
    memset(&got, 0, sizeof got);
    permitted[0] = 0;
    fits = 0;
}

static void show(void)
{
    if (got.kind == REFUSED)
        printf("      refused with error %lu", got.error);
    else if (got.kind == FAULTED)
        printf("      fault 0x%08lX on access %d at %p", got.fault, got.access, (void *)got.at);
    else if (got.address != NULL)
        printf("      %p", (void *)got.address);
    else if (got.bytes != NULL && got.size > 0)
        printf("      %lu bytes, the first 0x%02x", (unsigned long)got.size, got.bytes[0]);
    else
        printf("      ok");
    printf("\n");
}

/* The end of the program at the first answer that is not permitted. */
static void judge(const char *rule, const char *law)
{
    show();
    if (fits) {
        free(got.bytes);
        return;
    }
    printf("      permitted: %s\n\nDIVERGES from %s: %s\n", permitted, rule, law);
    exit(1);
}
//// need
/* What the rest of the program stands on: without it nothing can be said. */
static void need(int done, const char *what)
{
    if (done)
        return;
    printf("      %s failed: the case cannot be judged here\n", what);
    exit(2);
}
//// ok
static void or_ok(void)
{
    permit(got.kind == DONE, "success");
}
//// error
static void or_error(unsigned long error)
{
    permit(got.kind == REFUSED && got.error == error, "error %lu", error);
}
//// any_error
static void or_any_error(void)
{
    permit(got.kind == REFUSED, "some error");
}
//// address
static void or_address(unsigned char *at)
{
    permit(got.kind == DONE && got.address == at, "%p", (void *)at);
}
//// address_in
static void or_address_in(unsigned char *from, unsigned char *to)
{
    int inside = got.address >= from && got.address <= to;
    permit(got.kind == DONE && inside, "an address from %p to %p", (void *)from, (void *)to);
}
//// aligned
static void or_aligned(unsigned long unit)
{
    int aligned = got.address != NULL && (uintptr_t)got.address % unit == 0;
    permit(got.kind == DONE && aligned, "a multiple of 0x%lx", unit);
}
//// fault
static void or_fault(unsigned long code, int access, unsigned char *at)
{
    int same = got.fault == code && got.access == access && got.at == at;
    permit(got.kind == FAULTED && same, "fault 0x%08lX on access %d at %p", code, access,
           (void *)at);
}
//// bytes
/* Bytes as runs: so many times this one. */
struct run {
    size_t count;
    unsigned char byte;
};

static void or_bytes(const struct run *runs, size_t count)
{
    size_t at = 0, run, i;
    int same = got.kind == DONE && got.bytes != NULL;
    char wrong[80] = "the bytes that were written";
    for (run = 0; same && run < count; run++) {
        for (i = 0; same && i < runs[run].count; i++, at++) {
            if (at < got.size && got.bytes[at] != runs[run].byte) {
                snprintf(wrong, sizeof wrong, "0x%02x instead of 0x%02x at offset %lu",
                         runs[run].byte, got.bytes[at], (unsigned long)at);
                same = 0;
            }
        }
    }
    permit(same, "%s", wrong);
}
//// any_bytes
static void or_any_bytes(void)
{
    permit(got.kind == DONE, "bytes that are uncertain after a reset");
}
//// access
#pragma pack(push, 1)
struct byte1 { volatile uint8_t value; };
struct byte2 { volatile uint16_t value; };
struct byte4 { volatile uint32_t value; };
struct byte8 { volatile uint64_t value; };
#pragma pack(pop)

/* An access of 1, 2, 4 or 8 bytes is one access, also across the end of a page. */
static void load(unsigned char *at, unsigned char *into, size_t size)
{
    uint64_t value;
    size_t i;
    switch (size) {
    case 1: value = ((struct byte1 *)at)->value; break;
    case 2: value = ((struct byte2 *)at)->value; break;
    case 4: value = ((struct byte4 *)at)->value; break;
    case 8: value = ((struct byte8 *)at)->value; break;
    default:
        for (i = 0; i < size; i++)
            into[i] = ((struct byte1 *)(at + i))->value;
        return;
    }
    memcpy(into, &value, size);
}

static void store(unsigned char *at, const unsigned char *from, size_t size)
{
    uint64_t value = 0;
    size_t i;
    if (size <= 8)
        memcpy(&value, from, size);
    switch (size) {
    case 1: ((struct byte1 *)at)->value = (uint8_t)value; break;
    case 2: ((struct byte2 *)at)->value = (uint16_t)value; break;
    case 4: ((struct byte4 *)at)->value = (uint32_t)value; break;
    case 8: ((struct byte8 *)at)->value = value; break;
    default:
        for (i = 0; i < size; i++)
            ((struct byte1 *)(at + i))->value = from[i];
    }
}

static enum { LOAD, STORE, CALL } wanted;
static unsigned char *where;
static unsigned char *data;
static size_t length;

/* Done where a fault is caught. */
static void touch(void)
{
    void (*code)(void);
    if (wanted == LOAD) {
        load(where, data, length);
    } else if (wanted == STORE) {
        store(where, data, length);
    } else {
        memcpy(&code, &where, sizeof code);
        code();
    }
}

static void caught(void);
//// read
static void do_read(unsigned char *at, size_t size)
{
    got.bytes = calloc(size ? size : 1, 1);
    need(got.bytes != NULL, "calloc");
    got.size = size;
    wanted = LOAD, where = at, data = got.bytes, length = size;
    caught();
}
//// write
static void do_write(unsigned char *at, const unsigned char *bytes, size_t size)
{
    unsigned char *copy = calloc(size ? size : 1, 1);
    need(copy != NULL, "calloc");
    memcpy(copy, bytes, size);
    wanted = STORE, where = at, data = copy, length = size;
    caught();
    free(copy);
}
//// fill
static void do_fill(unsigned char *at, size_t size, int byte)
{
    unsigned char *copy = malloc(size ? size : 1);
    need(copy != NULL, "malloc");
    memset(copy, byte, size);
    wanted = STORE, where = at, data = copy, length = size;
    caught();
    free(copy);
}
//// execute
/* Runs nothing but a lone return: if another byte can be read there, that is a divergence. */
static void do_execute(unsigned char *at, int must_fault)
{
    unsigned char byte = 0xC3;
    if (!must_fault) {
        wanted = LOAD, where = at, data = &byte, length = 1;
        caught();
        if (got.kind == DONE && byte != 0xC3) {
            permit(0, "the return instruction that was written there");
            got.kind = REFUSED;
            return;
        }
        memset(&got, 0, sizeof got);
    }
    wanted = CALL, where = at;
    caught();
}
