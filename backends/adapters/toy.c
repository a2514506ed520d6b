/* A small manager of simulated memory in C: reserve, commit, protect, query, touch. Areas stand in a
   list by address, each with one entry a page. Not here: heaps, write watch, memory load. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "toy.h"

enum { PAGE = 4096, UNIT = 65536, LOW = 0x10000, COMMIT = 0x1000, RESERVE = 0x2000 };
static const u64 END = 0x7FFFFFFF0000;
const char *manager_about =
    "{\"protocol\":1,\"name\":\"toy-c\",\"version\":\"1\",\"page\":4096,\"granularity\":65536,\"errors\":\"win32\","
    "\"capabilities\":[\"contents\",\"faults\",\"guard-pages\",\"buffers\",\"query\",\"private-arena\"]}";

typedef struct Page { unsigned protect; unsigned char *bytes; } Page; /* protect 0: only reserved */
typedef struct Area { u64 base, end; unsigned protect; Page *pages; struct Area *next; } Area;
static Area *areas;

static u64 down(u64 a, u64 unit) { return a & ~(unit - 1); }
static u64 up(u64 a, u64 unit) { return down(a + unit - 1, unit); }
static int one_base(u64 p) { return __builtin_popcountll(p & 0xFF) == 1 && p < 0x200; }
static int bad_guard(u64 p) { return (p & 0x101) == 0x101; }
static int outside(u64 a, u64 size) { return a >= END || size > END - a; }
static Page *page(Area *area, u64 a) { return area->pages + (a - area->base) / PAGE; }
static u64 say(u64 code) { return printf("%llu", code), 0; }
static u64 done(u64 value) { return say(0), answer(value), value; }
static Area *find(u64 a) {
    for (Area *it = areas; it && it->base <= a; it = it->next) if (a < it->end) return it;
    return NULL;
}
static void decommit(Area *area, u64 from, u64 to) {
    for (; from < to; from += PAGE) free(page(area, from)->bytes), *page(area, from) = (Page){0, NULL};
}
static void commit(Area *area, u64 from, u64 to, u64 protect) {
    for (; from < to; from += PAGE) page(area, from)->protect = (unsigned)protect;
}
static void release(Area **at) {
    Area *area = *at;
    decommit(area, area->base, area->end), *at = area->next, free(area->pages), free(area);
}
void manager_open(void) { while (areas) release(&areas); }

static u64 virtual_alloc(u64 a, u64 size, u64 kind, u64 protect) {
    if (kind & ~0x3000ull || !kind || (a && a < LOW) || !one_base(protect)) return say(87);
    int reserve = kind & RESERVE || !a;
    if (bad_guard(protect) || (protect & 0x88 && reserve) || !size || outside(a, size)) return say(87);
    if (!reserve) {
        Area *area = find(a);
        if (!area || a + size > area->end) return say(487);
        if (protect & 0x88) return say(87);
        return commit(area, down(a, PAGE), up(a + size, PAGE), protect), done(down(a, PAGE));
    }
    u64 base = a ? down(a, UNIT) : LOW, end = a ? up(a + size, PAGE) : base + up(size, PAGE);
    Area **at = &areas;
    for (; *at; at = &(*at)->next) {
        if (end <= (*at)->base) break;
        if (base >= up((*at)->end, UNIT)) continue;
        if (a) return say(487);
        base = up((*at)->end, UNIT), end = base + up(size, PAGE);
    }
    if (outside(base, end - base)) return say(8);
    Area *area = malloc(sizeof *area);
    Page *pages = calloc((end - base) / PAGE, sizeof *pages);
    if (!area || !pages) return free(area), free(pages), say(8);
    *area = (Area){base, end, (unsigned)protect, pages, *at}, *at = area;
    if (kind & COMMIT) commit(area, base, end, protect);
    return done(base);
}

static u64 virtual_free(u64 a, u64 size, u64 kind) {
    if ((kind != 0x4000 && kind != 0x8000) || (kind == 0x8000 && size) || outside(a, size)) return say(87);
    Area **at = &areas;
    while (*at && ((*at)->base > a || a >= (*at)->end)) at = &(*at)->next;
    if (!*at || (!size && down(a, PAGE) != (*at)->base)) return say(487);
    if (a + size > (*at)->end) return say(87);
    if (kind == 0x8000) release(at);
    else decommit(*at, down(a, PAGE), size ? up(a + size, PAGE) : (*at)->end);
    return say(0);
}

static u64 virtual_protect(u64 a, u64 size, u64 protect, u64 old) {
    if (!one_base(protect)) return say(87);
    if (!old) return say(998);
    if (!size || outside(a, size) || bad_guard(protect)) return say(87);
    Area *area = find(a);
    if (!area || a + size > area->end) return say(487);
    if (protect & 0x88) return say(87);
    for (u64 at = down(a, PAGE); at < a + size; at += PAGE) if (!page(area, at)->protect) return say(487);
    unsigned before = page(area, down(a, PAGE))->protect;
    return commit(area, down(a, PAGE), up(a + size, PAGE), protect), done(before);
}

static u64 virtual_query(u64 a, u64 length, u64 buffer) {
    if (a >= END) return say(87);
    if (!buffer) return say(998);
    if (length < 48) return say(24);
    Area *area = find(a), *next = areas;
    u64 base = down(a, PAGE), end = base;
    unsigned protect = 0;
    if (!area) {
        while (next && next->base <= a) next = next->next;
        end = next ? next->base : END;
    } else for (protect = page(area, base)->protect; end < area->end && page(area, end)->protect == protect;) end += PAGE;
    u64 free_memory[] = {base, 0, 0, end - base, 0x10000, 1, 0};
    u64 ours[] = {base, area ? area->base : 0, area ? area->protect : 0, end - base, protect ? COMMIT : RESERVE, protect, 0x20000};
    say(0);
    for (int i = 0; i < 7; ++i) answer((area ? ours : free_memory)[i]);
    return 0;
}

/* Whether an access may go on; else its fault was printed. Nothing is touched before all is known. */
static int may(u64 a, u64 size, u64 kind) {
    for (u64 at = a; at < a + size; at = down(at, PAGE) + PAGE) {
        Area *area = find(at);
        unsigned protect = area ? page(area, at)->protect : 0;
        unsigned fault = !(protect & (kind ? 0x44 : 0xFE)) ? 0xC0000005 : protect & 0x100 ? 0x80000001 : 0;
        if (fault == 0x80000001) page(area, at)->protect &= ~0x100u;
        if (fault) return say(fault), answer(kind), answer(at), 0;
    }
    return 1;
}

static u64 read_memory(u64 a, u64 size) {
    if (!may(a, size, 0)) return 0;
    say(0);
    for (u64 at = a, run = 0; at < a + size; ++at) { /* bytes as runs: how many, which byte */
        unsigned char *bytes = page(find(at), at)->bytes, *next = at + 1 < a + size ? page(find(at + 1), at + 1)->bytes : NULL;
        unsigned byte = bytes ? bytes[at % PAGE] : 0, after = next ? next[(at + 1) % PAGE] : 0;
        if (++run, at + 1 == a + size || after != byte) answer(run), answer(byte), run = 0;
    }
    return 0;
}

static u64 write_memory(u64 a, const u64 *runs, int count) {
    u64 size = 0;
    for (int i = 0; i < count; i += 2) size += runs[i];
    if (!may(a, size, 1)) return 0;
    for (int i = 0; i < count; i += 2) for (u64 n = runs[i]; n; --n, ++a) {
        Page *it = page(find(a), a);
        if (!it->bytes) it->bytes = calloc(1, PAGE);
        it->bytes[a % PAGE] = (unsigned char)runs[i + 1];
    }
    return say(0);
}

u64 manager_call(u64 method, const u64 *n, int count) {
    switch (method) {
    case VIRTUAL_ALLOC: return virtual_alloc(n[0], n[1], n[2], n[3]);
    case VIRTUAL_FREE: return virtual_free(n[0], n[1], n[2]);
    case VIRTUAL_PROTECT: virtual_protect(n[0], n[1], n[2], n[3]); return 0;
    case VIRTUAL_QUERY: return virtual_query(n[0], n[1], n[2]);
    case READ: return read_memory(n[0], n[1]);
    case WRITE: return write_memory(n[0], n + 1, count - 1);
    default: return say(120); /* ERROR_CALL_NOT_IMPLEMENTED: never asked, it is not declared */
    }
}
