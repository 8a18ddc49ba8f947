/* C that calls back and knows what must not change meanwhile: its OS thread, its stack, and the OS thread's own state. */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef long (*callback)(void *, long);

/* Which of the calls below is innermost on this OS thread. */
static _Thread_local const void *innermost;

static void fail(const char *what) {
    fprintf(stderr, "stress: %s\n", what);
    abort();
}

/* Calls `f(context, number)`. With `is_alone`, no other chain of calls may come to this OS thread and leave its mark there. */
long stress_enter(callback f, void *context, long number, long is_alone) {
    unsigned char frame[200];
    long thread = syscall(SYS_gettid);
    const void *outer = innermost;
    memset(frame, (int)(number & 0xff), sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    if (is_alone) {
        innermost = frame;
    }
    long answer = f(context, number);
    if (syscall(SYS_gettid) != thread) {
        fail("C came back from a callback on another OS thread");
    }
    for (unsigned at = 0; at < sizeof frame; at++) {
        if (frame[at] != (unsigned char)(number & 0xff)) {
            fail("a frame of C was written to during a callback");
        }
    }
    if (is_alone) {
        if (innermost != frame) {
            fail("another chain of calls came to this OS thread");
        }
        innermost = outer;
    }
    return answer;
}

/* Sleeps, and says on how many OS threads it did. */
long stress_sleep(long microseconds) {
    long thread = syscall(SYS_gettid);
    usleep((useconds_t)microseconds);
    return syscall(SYS_gettid) == thread ? 1 : 2;
}

struct caller {
    callback f;
    void *context;
    long number;
    long times;
};

static void *call_back(void *argument) {
    struct caller *caller = argument;
    for (long turn = 0; turn < caller->times; turn++) {
        long number = caller->number * caller->times + turn;
        if (caller->f(caller->context, number) != number) {
            fail("a callback on a thread of C got a wrong answer");
        }
    }
    return 0;
}

/* Calls `f` from `count` threads at once, `times` times on each, with numbers from 0 up. */
void stress_threads(callback f, void *context, long count, long times) {
    pthread_t threads[16];
    struct caller callers[16];
    if (count > 16) {
        fail("so many threads are not foreseen");
    }
    for (long number = 0; number < count; number++) {
        callers[number] = (struct caller){f, context, number, times};
        if (pthread_create(&threads[number], 0, call_back, &callers[number]) != 0) {
            fail("no thread could be had");
        }
    }
    for (long number = 0; number < count; number++) {
        pthread_join(threads[number], 0);
    }
}
