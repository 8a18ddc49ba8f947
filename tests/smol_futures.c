/* C between Rust and a callback that waits for a future of smol. */

long smol_futures_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
