#define _GNU_SOURCE
#include "callee.h"
#include "gauge.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Exported by whoever links this. */
extern void c_call_get_value(uint8_t *key32, uint8_t *value32);

int callee_empty(int x) { return x; }

void callee_loop(callback f, int x, long n) {
    for (long i = 0; i < n; i++) f(x);
}

void callee_usleep(long us) {
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&left, &left)) {}
}

struct thread_run {
    callback f;
    int x;
    long n;
    int64_t begun, first, end; /* clock before the first callback, after it, after the last */
};

static void *thread_main(void *arg) {
    struct thread_run *run = arg;
    run->begun = gauge_now_ns();
    run->f(run->x);
    run->first = gauge_now_ns();
    for (long i = 0; i < run->n; i++) run->f(run->x);
    run->end = gauge_now_ns();
    return NULL;
}

void callee_thread(callback f, int x, long n, double *first_ns, double *rest_ns) {
    struct thread_run run = {f, x, n, 0, 0, 0};
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, &run)) abort();
    pthread_join(thread, NULL);
    *first_ns = (double)(run.first - run.begun);
    *rest_ns = n ? (double)(run.end - run.first) / (double)n : 0;
}

void get_value(uint8_t *key32, uint8_t *value32) {
    uint8_t value[32];
    c_call_get_value(key32, value);
    memcpy(value32, value, 32);
}
