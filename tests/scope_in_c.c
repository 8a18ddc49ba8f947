/* C that calls back, between two looks at a frame of its own. */

long scope_in_c_enter(long (*f)(void *, long), void *context, long number) {
    volatile long before = number;
    long answer = f(context, number);
    return before == number ? answer : -1000000;
}
