/* C between a call and a callback that sleeps. */

long time_sleep_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
