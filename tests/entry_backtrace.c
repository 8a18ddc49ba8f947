/* C that calls back, as the middle of a backtrace. */

long entry_backtrace_in_c(long (*f)(void *, long), void *context, long number) {
    volatile long one = 1;
    return f(context, number) + one;
}
