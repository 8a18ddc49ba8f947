#define _POSIX_C_SOURCE 200809L

#include "compare.h"

#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { KEYS = 1000, DELAY_MS = 100, WAYS = 3 };

static const char *const ways[WAYS] = {"green threads", "512 OS threads", "a thread each"};

/* The most that the process has had at the same time, as far as somebody who looks every five milliseconds sees. */
struct sampler {
    pthread_mutex_t lock;
    int is_over;
    long os_threads, kernel_kib;
};

/* The number behind that name in /proc/self/status. */
static long status_of_process(const char *name) {
    char line[128];
    long number = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtol(line + strlen(name), NULL, 10);
    if (status != NULL)
        fclose(status);
    return number;
}

static void *sample(void *arg) {
    struct sampler *sampler = arg;
    const struct timespec pause = {0, 5 * 1000 * 1000};
    int is_over;
    do {
        /* Without this one. The kernel keeps page tables, and a stack of 16 KiB for each OS thread. */
        long os_threads = status_of_process("Threads:") - 1;
        long kernel_kib = status_of_process("VmPTE:") + os_threads * 16;
        if (os_threads > sampler->os_threads)
            sampler->os_threads = os_threads;
        if (kernel_kib > sampler->kernel_kib)
            sampler->kernel_kib = kernel_kib;
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&sampler->lock);
        is_over = sampler->is_over;
        pthread_mutex_unlock(&sampler->lock);
    } while (!is_over);
    return NULL;
}

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static int earlier(const void *left, const void *right) {
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

int measure(const struct service *service, const char *number) {
    static uint64_t took_ns[KEYS];
    struct sampler sampler = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 0};
    pthread_t thread;
    double before, wall;
    int way = atoi(number);
    if (way < 0 || way >= WAYS || pthread_create(&thread, NULL, sample, &sampler) != 0)
        return -1;
    before = now_ms();
    if (service->fetch_many(KEYS, way, DELAY_MS, took_ns) != KEYS)
        return -1;
    wall = now_ms() - before;
    pthread_mutex_lock(&sampler.lock);
    sampler.is_over = 1;
    pthread_mutex_unlock(&sampler.lock);
    pthread_join(thread, NULL);
    qsort(took_ns, KEYS, sizeof *took_ns, earlier);
    printf("%-16s%5.0f ms%5.0f ms%5.0f ms%9ld%7.1f MiB%7.1f MiB\n", ways[way], wall, took_ns[KEYS * 50 / 100] / 1e6,
           took_ns[KEYS * 99 / 100] / 1e6, sampler.os_threads, status_of_process("VmHWM:") / 1024.0,
           sampler.kernel_kib / 1024.0);
    return 0;
}

int compare(const char *library) {
    extern char **environ;
    int way;
    printf("%d keys at once, each after %d ms\n", KEYS, DELAY_MS);
    printf("%-16s%8s%8s%8s%9s%11s%11s\n", "way", "wall", "p50", "p99", "threads", "memory", "kernel's");
    for (way = 0; way < WAYS; way++) {
        char number[4], program[] = "/proc/self/exe", measured[] = "measure", *arguments[5];
        pid_t child;
        int status;
        snprintf(number, sizeof number, "%d", way);
        arguments[0] = program, arguments[1] = (char *)library, arguments[2] = measured, arguments[3] = number, arguments[4] = NULL;
        fflush(stdout);
        if (posix_spawn(&child, program, NULL, NULL, arguments, environ) != 0 || waitpid(child, &status, 0) != child ||
            status != 0)
            return -1;
    }
    return 0;
}
