/* C that a green thread calls with nothing in between, and that calls back; and C that sleeps. */

#define _GNU_SOURCE
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* The callback's answer; -1 if these frames were on another OS thread after it. */
long bare_frames_enter(long (*f)(void *, long), void *context, long number) {
    pid_t before = gettid();
    long answer = f(context, number);
    return gettid() == before ? answer : -1;
}

long bare_frames_sleep_until(atomic_int *flag) {
    struct timespec time = {0, 100000};
    while (atomic_load(flag) == 0) {
        nanosleep(&time, 0);
    }
    return 1;
}
