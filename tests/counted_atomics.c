/* The C side of the counted operations: a function that does nothing, and one that marks the callbacks that it makes. */

#include <stdint.h>

int64_t counted_empty(int64_t x) {
    return x;
}

int64_t counted_call_back(int64_t (*f)(int64_t), int64_t x) {
    return f(x);
}

/* A breakpoint before each callback and one after it, for whoever traces this thread. */
int64_t counted_mark_callbacks(int64_t (*f)(int64_t), int64_t times) {
    int64_t sum = 0;
    for (int64_t turn = 0; turn < times; turn++) {
#if defined(__x86_64__)
        __asm__ volatile("int3" ::: "memory");
#endif
        sum += f(turn);
#if defined(__x86_64__)
        __asm__ volatile("int3" ::: "memory");
#endif
    }
    return sum;
}
