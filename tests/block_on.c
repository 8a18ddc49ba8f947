/* C between a call and a callback that waits for a future. */

long block_on_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
