#define _GNU_SOURCE
#include "gauge.h"
#include <dirent.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int64_t gauge_now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
int64_t gauge_cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

/* The number behind `name` in a file of lines `name value`; 0 if there is none. */
static int64_t field(const char *path, const char *name) {
    char line[256];
    int64_t value = 0;
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name))) value = atoll(line + strlen(name));
    fclose(file);
    return value;
}

int64_t gauge_threads(void) { return field("/proc/self/status", "Threads:"); }

int64_t gauge_memory(void) {
    return (field("/proc/self/status", "VmRSS:") + field("/proc/self/status", "VmPTE:")) * 1024;
}

int64_t gauge_switches(void) {
    int64_t sum = 0;
    char path[300];
    struct dirent *entry;
    DIR *threads = opendir("/proc/self/task");
    if (!threads) return 0;
    while ((entry = readdir(threads))) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        sum += field(path, "voluntary_ctxt_switches:");
    }
    closedir(threads);
    return sum;
}

/* Starts `program row` once and reads its two numbers. */
static int start_once(const char *program, const char *row, double *process_us, double *runtime_us) {
    int fd[2], rc = -1;
    pid_t child;
    long long first = 0;
    char *argv[] = {(char *)program, (char *)row, NULL};
    posix_spawn_file_actions_t actions;
    if (pipe(fd)) return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd[1], 1);
    posix_spawn_file_actions_addclose(&actions, fd[0]);
    int64_t before = gauge_now_ns();
    int failed = posix_spawn(&child, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fd[1]);
    FILE *out = fdopen(fd[0], "r");
    if (!failed) {
        if (out && fscanf(out, "%lld %lf", &first, runtime_us) == 2) rc = 0;
        waitpid(child, NULL, 0);
    }
    if (out) fclose(out);
    else close(fd[0]);
    *process_us = (double)(first - before) / 1e3;
    return rc;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

int gauge_cold_start(const char *program, const char *row, int tries, double *process_us, double *runtime_us) {
    int rc = 0;
    double *process = calloc((size_t)tries, sizeof *process), *runtime = calloc((size_t)tries, sizeof *runtime);
    if (!process || !runtime) rc = -1;
    for (int i = 0; i < tries && !rc; i++) rc = start_once(program, row, &process[i], &runtime[i]);
    if (!rc) {
        *process_us = median(process, tries);
        *runtime_us = median(runtime, tries);
    }
    free(process);
    free(runtime);
    return rc;
}
