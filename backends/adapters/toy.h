/* What adapter.c asks a manager in C, and what that may use. */
typedef unsigned long long u64;
enum {
    ECHO, VIRTUAL_ALLOC, VIRTUAL_FREE, VIRTUAL_QUERY, VIRTUAL_PROTECT, CREATE_MALLOC, ALLOC, DEBUG_ALLOC, FREE,
    GET_MEMORY_LOAD, REGISTER_CALLBACK, NEEDS_SPACE, ACQUIRED_SPACE, RELEASED_SPACE, READ, WRITE, EXECUTE,
    GET_WRITE_WATCH, RESET_WRITE_WATCH, SET_MEMORY_LOAD
};

extern const char *manager_about;                             /* the outcome of "start" */
void manager_open(void);                                      /* a fresh, empty address space */
u64 manager_call(u64 method, const u64 *numbers, int count);  /* prints its answer; what it allocated, or 0 */
void answer(u64 value);                                       /* prints one more number of an answer */
