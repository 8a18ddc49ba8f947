/* C that calls back once, or takes its time. */

#include <time.h>

long faults_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}

void faults_sleep(long microseconds) {
    struct timespec time = {0, microseconds * 1000};
    nanosleep(&time, 0);
}
