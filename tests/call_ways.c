/* C that looks at its stack, and at errno. */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>

/* Whether this function runs on the OS thread's own stack. */
int call_ways_is_on_thread_stack(void) {
    pthread_attr_t attributes;
    void *lowest;
    size_t size;
    char local;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return -1;
    }
    pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    char *here = &local;
    __asm__("" : "+r"(here));
    return here >= (char *)lowest && here < (char *)lowest + size;
}

/* Fails with the given errno. */
long call_ways_fail(int number) {
    errno = number;
    return -number;
}

long call_ways_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number) + 1;
}
