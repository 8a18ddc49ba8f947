/* C that sleeps until a flag is set, and C that calls back. */

#include <stdatomic.h>
#include <time.h>

long exhaustion_sleep_until(atomic_int *flag) {
    struct timespec time = {0, 200000};
    while (atomic_load(flag) == 0) {
        nanosleep(&time, 0);
    }
    return 1;
}

long exhaustion_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
