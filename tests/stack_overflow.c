/* C that uses more stack than there is, with small frames and with one that is larger than a page. */

#include <string.h>

__attribute__((noinline)) long stack_overflow_descend(long depth) {
    volatile char frame[256];
    memset((char *)frame, (int)depth, sizeof frame);
    return depth == 0 ? 0 : stack_overflow_descend(depth - 1) + frame[depth & 255];
}

__attribute__((noinline)) long stack_overflow_descend_in_leaps(long depth) {
    volatile char frame[40 * 1024];
    frame[0] = (char)depth;
    return depth == 0 ? 0 : stack_overflow_descend_in_leaps(depth - 1) + frame[0];
}

long stack_overflow_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
