/* C between a green thread and a callback that waits, or asleep. */

#include <stdatomic.h>
#include <time.h>

long thread_limit_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}

long thread_limit_sleep_until(atomic_int *flag) {
    struct timespec time = {0, 200000};
    while (atomic_load(flag) == 0) {
        nanosleep(&time, 0);
    }
    return 1;
}
