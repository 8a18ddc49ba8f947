/* C that calls back, and C that sleeps. */

#include <time.h>

long idle_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}

long idle_sleep(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, 0);
    return milliseconds;
}
