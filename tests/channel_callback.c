/* C between a call and a callback that waits for a channel. */

long channel_callback_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
