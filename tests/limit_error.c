/* C between a green thread and a callback that waits. */

long limit_error_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
