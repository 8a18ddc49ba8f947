/* C threads that come, call back and go. */

#include <pthread.h>
#include <stdlib.h>

typedef long (*callback)(void *, long);

struct work {
    callback f;
    void *context;
    long number;
    long times;
    long sum;
};

static void *call_back(void *argument) {
    struct work *work = argument;
    for (long turn = 0; turn < work->times; turn++) {
        work->sum += work->f(work->context, work->number);
    }
    return 0;
}

/* `threads` threads at once, each of which calls back `times` times with its number; returns the sum of the answers. */
long entry_threads_at_once(callback f, void *context, long threads, long times) {
    pthread_t *handles = calloc((size_t)threads, sizeof *handles);
    struct work *work = calloc((size_t)threads, sizeof *work);
    long started = 0, sum = 0;
    for (; started < threads; started++) {
        work[started] = (struct work){f, context, started, times, 0};
        if (pthread_create(&handles[started], 0, call_back, &work[started]) != 0) {
            break;
        }
    }
    for (long number = 0; number < started; number++) {
        pthread_join(handles[number], 0);
        sum += work[number].sum;
    }
    free(handles);
    free(work);
    return started == threads ? sum : -1;
}

