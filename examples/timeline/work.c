/* The C of the example: a library that asks back, and one that computes for long. */

#include <time.h>

/* Asks for the values of n keys, and adds them up. */
long timeline_add_up(const long *keys, long n, long (*look_up)(long key)) {
    long sum = 0;
    for (long i = 0; i < n; i++) {
        sum += look_up(keys[i]);
    }
    return sum;
}

/* Computes for so many microseconds. */
unsigned long timeline_grind(long microseconds) {
    struct timespec now, end;
    unsigned long hash = 5381;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += microseconds * 1000;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    do {
        for (int i = 0; i < 1000; i++) {
            hash = hash * 33 + (unsigned long)i;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
    return hash;
}
