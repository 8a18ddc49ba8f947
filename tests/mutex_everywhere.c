/* C between a call and a callback that locks. */

long mutex_everywhere_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
