/* C between a call and its callback, and C that is quick. */

long fairness_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}

long fairness_return(long number) {
    return number;
}
