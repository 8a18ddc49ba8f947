/* C between a green thread and a callback that parks. */

long park_blocking_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
