/* C that takes its time: asleep, busy, or until enough others have come. */

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

static void rest(long microseconds) {
    struct timespec time = {0, microseconds * 1000};
    nanosleep(&time, 0);
}

/* Sleeps again and again until the flag is set. */
long hand_off_sleep_until(atomic_int *flag) {
    long turns = 0;
    while (atomic_load(flag) == 0) {
        rest(200);
        turns++;
    }
    return turns;
}

/* Keeps its CPU busy until the flag is set. */
long hand_off_spin_until(atomic_int *flag) {
    long turns = 0;
    while (atomic_load(flag) == 0) {
        sched_yield();
        turns++;
    }
    return turns;
}

/* Calls back, and then sleeps until the flag is set. */
long hand_off_call_back_and_sleep(void (*f)(void *, long), void *context, atomic_int *flag) {
    f(context, 0);
    return hand_off_sleep_until(flag);
}

/* Sleeps until the flag is set, and then calls back. */
long hand_off_sleep_and_call_back(void (*f)(void *, long), void *context, atomic_int *flag) {
    hand_off_sleep_until(flag);
    f(context, 1);
    return 1;
}

/* Counts itself in, and returns when `all` have. */
long hand_off_meet(atomic_int *arrived, int all) {
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < all) {
        rest(200);
    }
    return 1;
}

/* Sleeps that long. */
long hand_off_rest(long microseconds) {
    rest(microseconds);
    return microseconds;
}
