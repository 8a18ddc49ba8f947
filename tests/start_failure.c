/* C threads that enter before the runtime is up. */

#include <pthread.h>

typedef long (*callback)(void *, long);

struct entry {
    callback f;
    long answer;
};

static void *enter(void *argument) {
    struct entry *entry = argument;
    entry->answer = entry->f(0, 1);
    return 0;
}

/* Calls `f` on `threads` threads at once; returns how many got `expected`. */
long start_failure_enter_at_once(callback f, long threads, long expected) {
    pthread_t handles[64];
    struct entry entries[64];
    long as_expected = 0;
    for (long number = 0; number < threads; number++) {
        entries[number] = (struct entry){f, 0};
        if (pthread_create(&handles[number], 0, enter, &entries[number]) != 0) {
            return -1;
        }
    }
    for (long number = 0; number < threads; number++) {
        pthread_join(handles[number], 0);
        as_expected += entries[number].answer == expected;
    }
    return as_expected;
}
