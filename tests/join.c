/* C between a call and a callback that joins. */

long join_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
