/* C between a pinned green thread and its callback. */

long pin_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
