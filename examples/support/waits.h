/* What the loop around a library that owns its sockets waits with. In Rust: waits.rs. */

#ifndef WAITS_H
#define WAITS_H

#include <poll.h>
#include <stddef.h>
#include <time.h>

struct waits; /* Rust's: who may cancel the waits of this loop */

/*
 * As poll(2), but only the green thread waits, and somebody may cut it short: how many of the files are ready, 0 if the time was over first, -1 if the
 * loop is to end.
 */
int waits_poll(const struct waits *waits, struct pollfd *files, size_t count, int timeout_ms);

/* Milliseconds on a clock that only goes forward. */
static inline long long waits_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

#endif
