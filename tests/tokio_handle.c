/* C between Rust and a callback that waits, or does not. */

long tokio_handle_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
