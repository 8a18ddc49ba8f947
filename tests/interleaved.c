/* C whose callbacks wait, and which keeps nothing meanwhile but its own frame. */

#include <errno.h>

/* Sums up the answers to `times` callbacks; -1 if errno was not kept over one of them. Below 1000, a callback is one that
 * sets errno itself. */
long interleaved_sum(long (*f)(void *, long), void *context, long number, long times) {
    long sum = 0;
    for (long turn = 0; turn < times; turn++) {
        errno = (int)(number + turn);
        sum += f(context, number);
        if (number >= 1000 && errno != number + turn) {
            return -1;
        }
    }
    return sum;
}
