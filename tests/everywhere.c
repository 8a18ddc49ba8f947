/* C between a call and a callback that waits for anything. */

long everywhere_enter(long (*f)(void *, long), void *context) {
    return f(context, 0);
}
