/* What the rows read off the process. The peers' programs read the same gauges in the same way. */
#ifndef GAUGE_H
#define GAUGE_H
#include <stdint.h>

int64_t gauge_now_ns(void);   /* CLOCK_MONOTONIC */
int64_t gauge_cpu_ns(void);   /* CPU time of the process */
int64_t gauge_switches(void); /* voluntary context switches, all threads together */
int64_t gauge_threads(void);  /* OS threads now */
int64_t gauge_memory(void);   /* resident memory and page tables, in bytes */

/* Starts `program row` from cold, `tries` times. The child prints two numbers: the monotonic clock when its first green
   thread runs, and the microseconds since it began to build its runtime. Reports the medians, in microseconds: from
   before the posix_spawn to the first, and the second. Returns 0, or -1 if a child could not be started or read. */
int gauge_cold_start(const char *program, const char *row, int tries, double *process_us, double *runtime_us);

#endif
