/* C that a green thread calls with nothing in between. */

long bare_call_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number) + 1;
}
