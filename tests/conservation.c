/* C that is called and calls back among everything else. */

#include <time.h>

long conservation_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}

long conservation_sleep(long number) {
    struct timespec time = {0, 100000};
    nanosleep(&time, 0);
    return number;
}
