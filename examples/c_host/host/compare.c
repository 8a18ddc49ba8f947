#define _POSIX_C_SOURCE 200809L

#include "compare.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { KEYS = 1000 };

/* The most OS threads that the process has had at the same time, as far as somebody who looks every millisecond sees. */
struct sampler {
    pthread_mutex_t lock;
    int is_over, most;
};

static int count_os_threads(void) {
    DIR *tasks = opendir("/proc/self/task");
    int count = -2;
    if (tasks == NULL)
        return 0;
    while (readdir(tasks) != NULL)
        count++;
    closedir(tasks);
    return count;
}

static void *sample(void *arg) {
    struct sampler *sampler = arg;
    const struct timespec pause = {0, 1000 * 1000};
    int is_over;
    do {
        int count = count_os_threads();
        if (count > sampler->most)
            sampler->most = count;
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

/* The most memory that the process has had so far, in KiB. */
static long peak_memory(void) {
    char line[128];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        sscanf(line, "VmHWM: %ld", &peak);
    if (status != NULL)
        fclose(status);
    return peak;
}

int compare(const struct service *service) {
    static const char *const ways[] = {"a green thread each", "an OS thread each"};
    int way, result = 0;
    for (way = 0; way < 2; way++) {
        struct sampler sampler = {PTHREAD_MUTEX_INITIALIZER, 0, 0};
        pthread_t thread;
        unsigned came;
        double before;
        if (pthread_create(&thread, NULL, sample, &sampler) != 0)
            return -1;
        before = now_ms();
        came = service->fetch_many(KEYS, way);
        printf("%u keys at once, %s: %.0f ms, ", came, ways[way], now_ms() - before);
        pthread_mutex_lock(&sampler.lock);
        sampler.is_over = 1;
        pthread_mutex_unlock(&sampler.lock);
        pthread_join(thread, NULL);
        printf("%d OS threads, %.1f MB so far\n", sampler.most, peak_memory() / 1024.0);
        if (came != KEYS)
            result = -1;
    }
    return result;
}
