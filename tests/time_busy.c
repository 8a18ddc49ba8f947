/* C that is long, and C between a call and a callback that waits. */

#include <time.h>

void time_busy_until(const int *flag) {
    struct timespec moment = {0, 50000};
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
        nanosleep(&moment, 0);
}

long time_busy_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
