/* C that hands out what its callback has made. */

void *pin_outlives_call_enter(void *(*f)(void *, long), void *context, long number) {
    return f(context, number);
}
