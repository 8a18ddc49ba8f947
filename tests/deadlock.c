/* C between green threads and callbacks, and threads of C's own. */

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef long (*callback)(void *, long);

/* Calls back at once. */
long deadlock_enter(callback f, void *context, long number) {
    return f(context, number);
}

static void sleep_for(long milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

struct job {
    callback f;
    void *context;
    long milliseconds;
};

static void *run_job(void *argument) {
    struct job job = *(struct job *)argument;
    free(argument);
    sleep_for(job.milliseconds);
    if (job.f) {
        job.f(job.context, job.milliseconds);
    }
    return NULL;
}

/* Starts a thread that sleeps for `milliseconds`, and then calls `f`, if there is one. Returns 0 if it has been started. */
int deadlock_thread(callback f, void *context, long milliseconds) {
    struct job *job = malloc(sizeof *job);
    pthread_t thread;
    if (!job) {
        return 1;
    }
    *job = (struct job){f, context, milliseconds};
    if (pthread_create(&thread, NULL, run_job, job) != 0) {
        free(job);
        return 1;
    }
    pthread_detach(thread);
    return 0;
}
