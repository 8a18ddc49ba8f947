/* C that calls back and must find its frame as it left it. */

#include <string.h>

/* Calls `f(context, depth)` between two halves of a computation that lives on this stack. */
long waiting_callback_enter(long (*f)(void *, long), void *context, long depth) {
    unsigned char before[256];
    memset(before, (int)(depth & 0xff), sizeof before);
    __asm__ volatile("" : : "r"(before) : "memory");
    long answer = f(context, depth);
    for (unsigned at = 0; at < sizeof before; at++) {
        if (before[at] != (unsigned char)(depth & 0xff)) {
            return -1000000;
        }
    }
    return answer;
}
