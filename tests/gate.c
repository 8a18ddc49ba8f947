/* C threads that all enter at once. */

#include <pthread.h>

typedef long (*callback)(void *, long);

struct entry {
    callback f;
    long number, times;
    long sum;
    pthread_barrier_t *together;
};

static void *enter(void *argument) {
    struct entry *entry = argument;
    pthread_barrier_wait(entry->together);
    for (long turn = 0; turn < entry->times; turn++) {
        entry->sum += entry->f(0, entry->number);
    }
    return 0;
}

/* `threads` threads that meet, and then call `f` that often with their number; returns the sum of the answers. */
long gate_enter_together(callback f, long threads, long times) {
    pthread_t handles[64];
    struct entry entries[64];
    pthread_barrier_t together;
    long sum = 0;
    pthread_barrier_init(&together, 0, (unsigned)threads);
    for (long number = 0; number < threads; number++) {
        entries[number] = (struct entry){f, number, times, 0, &together};
        if (pthread_create(&handles[number], 0, enter, &entries[number]) != 0) {
            return -1;
        }
    }
    for (long number = 0; number < threads; number++) {
        pthread_join(handles[number], 0);
        sum += entries[number].sum;
    }
    pthread_barrier_destroy(&together);
    return sum;
}
