/* C threads of their own, and bare calls. */

#include <pthread.h>

struct request {
    long (*f)(void *, long);
    long number;
    long answer;
};

static void *call_back(void *argument) {
    struct request *request = argument;
    request->answer = request->f(0, request->number);
    return 0;
}

/* Calls `f(NULL, number)` on a new thread; returns its answer. */
long foreign_panic_on_thread(long (*f)(void *, long), long number) {
    struct request request = {f, number, 0};
    pthread_t thread;
    if (pthread_create(&thread, 0, call_back, &request) != 0) {
        return -1000;
    }
    pthread_join(thread, 0);
    return request.answer;
}

/* Calls `f(NULL, number)` on this thread. */
long foreign_panic_here(long (*f)(void *, long), long number) {
    return f(0, number);
}
