/* C between Rust and a callback that waits for a future of tokio. */

#include <pthread.h>

typedef long (*callback)(void *, long);

long tokio_futures_enter(callback f, void *context, long number) {
    return f(context, number);
}

struct work {
    callback f;
    void *context;
    long number;
};

static void *call_back(void *argument) {
    struct work *work = argument;
    work->number = work->f(work->context, work->number);
    return 0;
}

/* The same on a thread of C's own. */
long tokio_futures_on_thread(callback f, void *context, long number) {
    struct work work = {f, context, number};
    pthread_t thread;
    if (pthread_create(&thread, 0, call_back, &work) != 0) {
        return -1;
    }
    pthread_join(thread, 0);
    return work.number;
}
