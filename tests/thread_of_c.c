/* C that looks at the OS thread it runs on: its number, a recursive mutex, errno, a thread-local variable. */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef void (*callback)(void *, long);

static _Thread_local long owner_of_thread;
static pthread_mutex_t recursive;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_long owner_of_mutex;

static void make_recursive(void) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &kind);
}

/* Calls back `times` times; returns how often the OS thread was another one afterwards. */
long thread_of_c_changes(callback f, void *context, long times) {
    long changes = 0;
    long before = syscall(SYS_gettid);
    for (long turn = 0; turn < times; turn++) {
        f(context, turn);
        changes += syscall(SYS_gettid) != before;
    }
    return changes;
}

/* Holds the recursive mutex over a callback. Returns 1 if another chain of calls came in meanwhile, 2 if one was in
 * already, 4 if the mutex cannot be unlocked by who locked it. */
long thread_of_c_with_mutex(callback f, void *context, long id) {
    long faults = 0;
    pthread_once(&once, make_recursive);
    pthread_mutex_lock(&recursive);
    if (atomic_exchange(&owner_of_mutex, id) != 0) {
        faults |= 2;
    }
    f(context, id);
    if (atomic_exchange(&owner_of_mutex, 0) != id) {
        faults |= 1;
    }
    if (pthread_mutex_unlock(&recursive) != 0) {
        faults |= 4;
    }
    return faults;
}

/* Leaves a thread-local variable set over a callback. Returns 1 if another chain of calls has changed it, 2 if one had
 * left it set. */
long thread_of_c_with_thread_local(callback f, void *context, long id) {
    long faults = 0;
    if (owner_of_thread != 0) {
        faults |= 2;
    }
    owner_of_thread = id;
    f(context, id);
    if (owner_of_thread != id) {
        faults |= 1;
    }
    owner_of_thread = 0;
    return faults;
}

/* Sets errno, calls back, returns errno. */
long thread_of_c_with_errno(callback f, void *context, long number) {
    errno = (int)number;
    f(context, number);
    return errno;
}
