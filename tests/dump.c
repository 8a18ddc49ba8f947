/* C that calls back, that waits in the kernel, and that computes. See dump.rs. */
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* The frames that a backtrace must show: not inlined, and not turned into jumps. */
long __attribute__((noinline)) dump_inner(long (*f)(void *, long), void *context, long number) {
    volatile long result = f(context, number);
    return result + 1;
}

long __attribute__((noinline)) dump_enter(long (*f)(void *, long), void *context, long number) {
    volatile long room[16];
    room[number & 15] = dump_inner(f, context, number);
    return room[number & 15] + 1;
}

/* Reads one byte from a pipe: a system call. Returns how often that was interrupted. */
long __attribute__((noinline)) dump_reads(int fd) {
    char byte;
    volatile long failures = 0;
    while (read(fd, &byte, 1) != 1)
        failures++;
    return failures;
}

/* Sleeps, and says whether it was woken early. */
int __attribute__((noinline)) dump_sleeps(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    volatile int result = nanosleep(&time, 0);
    return result;
}

/* Computes until the flag is set. */
long __attribute__((noinline)) dump_computes(atomic_int *end) {
    volatile long turns = 0;
    while (!atomic_load_explicit(end, memory_order_acquire))
        turns++;
    return turns;
}
