/* C between a call and a callback that selects. */

long select_places_enter(long (*f)(void *, long), void *context, long number) {
    return f(context, number);
}
