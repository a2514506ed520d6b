/* An adapter for hostmem. Fill in the functions of the first part, then:
     cc -O2 THIS_FILE -o adapter && hostmem agent --validate ./adapter
   VALIDATE.md of hostmem has every method with its numbers. What you do not declare in `about` is
   never asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long u64;
static void answer(u64 value); /* prints one more number of an answer */
static u64 say(u64 code) { return printf("%llu", code), 0; } /* the first: an error code, or 0 */

static const char about[] =
    "{\"protocol\":1,\"name\":\"YOUR NAME\",\"version\":\"1\",\"page\":4096,\"granularity\":65536,"
    "\"errors\":\"win32\",\"capabilities\":[\"query\"]}";

static void open_space(void) { /* YOUR CODE: a fresh, empty address space */ }

/* One call; returns what it allocated, or 0. 120 is ERROR_CALL_NOT_IMPLEMENTED. */
static u64 call(u64 method, const u64 *n, int count) {
    (void)n, (void)count;
    switch (method) {
    case 1: return say(120); /* VirtualAlloc address size type protect critical. YOUR CODE: say(0), answer(base), base */
    case 2: return say(120); /* VirtualFree address size type. YOUR CODE: say(0) */
    case 3: return say(120); /* VirtualQuery address length buffer. YOUR CODE: say(0), then answer() seven times */
    case 4: return say(120); /* VirtualProtect address size protect old. YOUR CODE: say(0), answer(old protection), 0 */
    default: return say(120);
    }
}

/* From here on nothing needs to be changed. */
static u64 *slots, numbers[16384];
static size_t slot_count, slot_room;

static u64 number(char **at) { /* the next one, in quotes or not; a negative one wraps, as addresses do */
    while ((**at < '0' || **at > '9') && **at != '-') ++*at;
    int negative = **at == '-';
    u64 value = strtoull(*at + negative, at, 10);
    return negative ? 0 - value : value;
}

static void answer(u64 value) { printf(value >> 53 ? ",\"%llu\"" : ",%llu", value); }

static char *one(char *at) { /* one call; the position behind its closing bracket */
    int count = 0;
    for (; *at != ']'; at += *at == '"') numbers[count++] = number(&at);
    u64 method = numbers[0], result = 0;
    if (!(method >= 5 && method <= 7) && method != 9 && method != 10 && method != 19) {
        u64 *place = numbers + (method == 8 ? 2 : 1); /* slot and offset become one number */
        place[0] = (place[0] < slot_count ? slots[place[0]] : 0) + place[1];
        memmove(place + 1, place + 2, (char *)(numbers + count--) - (char *)(place + 2));
    }
    if (method == 0) {
        printf("0");
        for (int i = 1; i < count; ++i) answer(numbers[i]);
    } else result = call(method, numbers + 1, count - 1);
    if (method == 1 || method == 6 || method == 7) {
        if (slot_count == slot_room) slots = realloc(slots, (slot_room += 4096) * sizeof *slots);
        slots[slot_count++] = result; /* 0 if it was refused */
    }
    return at + 1;
}

int main(void) {
    char *line = NULL, *at;
    for (size_t room = 0; getline(&line, &room, stdin) > 0; fflush(stdout)) {
        at = line;
        printf("{\"id\":%llu,\"outcome\":", number(&at));
        if (strstr(line, "\"start\"")) printf("%s}\n", about);
        else if ((at = strstr(line, "\"run\":["))) {
            printf("[");
            for (at += 7; *at != ']'; at += *at == ',') printf("["), at = one(at + 1), printf(*at == ',' ? "]," : "]");
            printf("]}\n");
        } else {
            if (strstr(line, "\"open\"")) open_space(), slot_count = 0;
            printf("[]}\n");
            if (strstr(line, "\"stop\"")) return fflush(stdout);
        }
    }
}
