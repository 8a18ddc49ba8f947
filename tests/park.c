/* C between a call and a callback that parks. */

long park_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
