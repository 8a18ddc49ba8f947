/* C that waits: in its callback, or by itself. */

#include <time.h>

long hosts_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}

void hosts_sleep(long microseconds) {
    struct timespec time = {0, microseconds * 1000};
    nanosleep(&time, 0);
}
