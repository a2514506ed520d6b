/* Connects a memory manager in C to hostmem. Build: cc -O2 adapter.c toy.c -o toy
   The manager is behind toy.h: manager_call gets the method and its numbers (an address as one
   number) and prints its answer. hostmem writes `id` first and no spaces: see VALIDATE.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "toy.h"

static u64 *slots, numbers[16384]; /* no call has more numbers: a write of one page */
static size_t slot_count, slot_room;

static u64 number(char **at) { /* the next one, in quotes or not; a negative one wraps, as addresses do */
    while ((**at < '0' || **at > '9') && **at != '-') ++*at;
    int negative = **at == '-';
    u64 value = strtoull(*at + negative, at, 10);
    return negative ? 0 - value : value;
}

void answer(u64 value) { printf(value >> 53 ? ",\"%llu\"" : ",%llu", value); }

static char *call(char *at) { /* one call; the position behind its closing bracket */
    int count = 0;
    for (; *at != ']'; at += *at == '"') numbers[count++] = number(&at);
    u64 method = numbers[0], result = 0;
    int has_address = !(method >= CREATE_MALLOC && method <= DEBUG_ALLOC) && method != GET_MEMORY_LOAD
        && method != REGISTER_CALLBACK && method != SET_MEMORY_LOAD;
    if (has_address) { /* slot and offset become one number */
        u64 *place = numbers + (method == FREE ? 2 : 1);
        place[0] = (place[0] < slot_count ? slots[place[0]] : 0) + place[1];
        memmove(place + 1, place + 2, (char *)(numbers + count--) - (char *)(place + 2));
    }
    if (method == ECHO) {
        printf("0");
        for (int i = 1; i < count; ++i) answer(numbers[i]);
    } else result = manager_call(method, numbers + 1, count - 1);
    if (method == VIRTUAL_ALLOC || method == ALLOC || method == DEBUG_ALLOC) {
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
        if (strstr(line, "\"start\"")) printf("%s}\n", manager_about);
        else if ((at = strstr(line, "\"run\":["))) {
            printf("[");
            for (at += 7; *at != ']'; at += *at == ',') printf("["), at = call(at + 1), printf(*at == ',' ? "]," : "]");
            printf("]}\n");
        } else {
            if (strstr(line, "\"open\"")) manager_open(), slot_count = 0;
            printf("[]}\n");
            if (strstr(line, "\"stop\"")) return fflush(stdout);
        }
    }
}
