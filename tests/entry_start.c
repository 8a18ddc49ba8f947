/* C threads that exist already, and all make the first entry at once. */

#include <pthread.h>

typedef long (*callback)(void *, long);

struct entry {
    callback f;
    long number;
    long answer;
    pthread_barrier_t *together;
};

static void *enter(void *argument) {
    struct entry *entry = argument;
    pthread_barrier_wait(entry->together);
    entry->answer = entry->f(0, entry->number);
    return 0;
}

/* Makes `threads` threads, calls `prepare`, and then lets all threads call `f` with their number. How many got `expected`? */
long entry_start_prepared(callback f, long threads, void (*prepare)(void), long expected) {
    pthread_t handles[64];
    struct entry entries[64];
    pthread_barrier_t together;
    long same = 0;
    pthread_barrier_init(&together, 0, (unsigned)threads + 1);
    for (long number = 0; number < threads; number++) {
        entries[number] = (struct entry){f, number, 0, &together};
        if (pthread_create(&handles[number], 0, enter, &entries[number]) != 0) {
            return -1;
        }
    }
    prepare();
    pthread_barrier_wait(&together);
    for (long number = 0; number < threads; number++) {
        pthread_join(handles[number], 0);
        same += entries[number].answer == expected;
    }
    pthread_barrier_destroy(&together);
    return same;
}
