/* The C that the benchmark rows call. None of it is ever inlined into Rust: it is compiled with -O2 into objects of its
   own, without link-time optimisation. */
#ifndef CALLEE_H
#define CALLEE_H
#include <stdint.h>

typedef int (*callback)(int);

/* Returns x. */
int callee_empty(int x);

/* Calls f(x) n times. */
void callee_loop(callback f, int x, long n);

/* Sleeps for the full time, however many signals arrive. */
void callee_usleep(long us);

/* Makes one fresh pthread, which calls f(x) once and then n times more, and waits for its end. Reports the nanoseconds
   of the first callback, and of each of the rest (0 if n is 0). */
void callee_thread(callback f, int x, long n, double *first_ns, double *rest_ns);

/* The C half of the seed's program: asks Rust for the value of a key; both are 32 bytes. */
void get_value(uint8_t *key32, uint8_t *value32);

#endif
