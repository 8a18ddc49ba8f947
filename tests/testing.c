/* C that calls back. */

long testing_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
