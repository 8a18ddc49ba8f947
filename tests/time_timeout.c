/* C between a call and a callback that waits. */

long time_timeout_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
