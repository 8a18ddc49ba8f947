/* C that calls back late. For one that does so from a thread of its own, see deadlock_thread in deadlock.c. */

#include <time.h>

typedef long (*callback)(void *, long);

long deadlock_none_enter(callback f, void *context, long milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
    return f(context, milliseconds);
}
