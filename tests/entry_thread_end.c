/* C that ends its OS thread, or is cancelled, instead of returning. */

#include <pthread.h>
#include <unistd.h>

typedef long (*callback)(void *, long);

/* Ends the OS thread that it is called on. */
long entry_thread_end_exit(void) {
    pthread_exit((void *)7);
}

/* The same, for Rust that declares it as a function that may unwind. */
long entry_thread_end_exit_and_unwind(void) {
    pthread_exit((void *)8);
}

/* Is cancelled, and notices at its next cancellation point. */
long entry_thread_end_cancel(void) {
    pthread_cancel(pthread_self());
    for (;;) {
        pause();
    }
}

/* Calls back, and returns what it gets. */
long entry_thread_end_enter(callback f, void *context, long number) {
    return f(context, number) + 1;
}

struct work {
    callback f;
    void *context;
    long number;
};

static void *call_back_and_exit(void *argument) {
    struct work *work = argument;
    pthread_exit((void *)work->f(work->context, work->number));
}

static void *call_back_and_pause(void *argument) {
    struct work *work = argument;
    if (work->f(work->context, work->number) != work->number) {
        return 0;
    }
    for (;;) {
        pause();
    }
}

/* A thread that ends itself after a callback; returns its result. */
long entry_thread_end_exits_after(callback f, void *context, long number) {
    struct work work = {f, context, number};
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, 0, call_back_and_exit, &work) != 0 || pthread_join(thread, &result) != 0) {
        return -1;
    }
    return (long)result;
}

/* A thread that is cancelled once `meanwhile` has returned, which runs beside its callback; 1 if it ended so. */
long entry_thread_end_cancelled_after(callback f, void *context, long number, callback meanwhile) {
    struct work work = {f, context, number};
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, 0, call_back_and_pause, &work) != 0) {
        return -1;
    }
    meanwhile(context, number);
    pthread_cancel(thread);
    meanwhile(context, number);
    return pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED;
}
