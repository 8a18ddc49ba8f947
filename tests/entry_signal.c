/* Signals: a storm of them on threads that call back, and handlers that call back themselves. */

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

typedef long (*callback)(void *, long);

enum { THREADS = 8, SENDERS = 4 };

static volatile sig_atomic_t handled;

static void count(int number) {
    (void)number;
    handled++;
}

static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(number, &action, 0);
}

struct storm {
    callback f;
    void *context;
    long number, times, sum;
    int ended;
    pthread_barrier_t *together;
    pthread_t *targets;
    int *over;
};

static void *call_back(void *argument) {
    struct storm *storm = argument;
    pthread_barrier_wait(storm->together);
    for (long turn = 0; turn < storm->times; turn++) {
        storm->sum += storm->f(storm->context, storm->number);
    }
    __atomic_store_n(&storm->ended, 1, __ATOMIC_RELEASE);
    return 0;
}

static void *send(void *argument) {
    struct storm *storm = argument;
    pthread_barrier_wait(storm->together);
    while (!__atomic_load_n(storm->over, __ATOMIC_ACQUIRE)) {
        for (int target = 0; target < THREADS; target++) {
            pthread_kill(storm->targets[target], SIGUSR1);
        }
    }
    return 0;
}

/* Eight threads call back, from their first moment on under a storm of signals; returns the sum of the answers. */
long entry_signal_storm(callback f, void *context, long times) {
    pthread_t threads[THREADS], senders[SENDERS];
    struct storm work[THREADS], sending[SENDERS];
    pthread_barrier_t together;
    int over = 0;
    long sum = 0;

    handle(SIGUSR1, count, 0);
    pthread_barrier_init(&together, 0, THREADS + SENDERS);
    for (int number = 0; number < THREADS; number++) {
        work[number] = (struct storm){f, context, number, times, 0, 0, &together, threads, &over};
        pthread_create(&threads[number], 0, call_back, &work[number]);
    }
    for (int number = 0; number < SENDERS; number++) {
        sending[number] = (struct storm){f, context, number, times, 0, 0, &together, threads, &over};
        pthread_create(&senders[number], 0, send, &sending[number]);
    }
    for (int number = 0; number < THREADS; number++) {
        while (!__atomic_load_n(&work[number].ended, __ATOMIC_ACQUIRE)) {
            sched_yield();
        }
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    for (int number = 0; number < SENDERS; number++) {
        pthread_join(senders[number], 0);
    }
    for (int number = 0; number < THREADS; number++) {
        pthread_join(threads[number], 0);
        sum += work[number].sum;
    }
    return sum;
}

static callback in_handler;
static volatile long answer;

static void call_back_in_handler(int number) {
    (void)number;
    answer = in_handler(0, 5);
}

/* Calls back from a signal handler on this thread, on its alternate stack or not; returns what it gets. */
long entry_signal_enter(callback f, long on_alternate_stack) {
    stack_t own = {.ss_sp = malloc(256 * 1024), .ss_size = 256 * 1024}, before;
    in_handler = f;
    answer = 0;
    handle(SIGUSR2, call_back_in_handler, on_alternate_stack ? SA_ONSTACK : 0);
    sigaltstack(0, &before);
    if (before.ss_flags & SS_DISABLE) {
        sigaltstack(&own, 0);
    }
    raise(SIGUSR2);
    sigaltstack(&before, 0);
    free(own.ss_sp);
    return answer;
}
