/* C that walks over numbers and calls back for each, until it is told to stop. */

typedef long (*callback)(void *, long);

/* Calls `f` with 1 to `last`, as long as it returns 0; returns how many calls that were. */
long entry_generator_walk(callback f, void *context, long last) {
    long number = 0;
    while (number < last && f(context, number + 1) == 0) {
        number++;
    }
    return number;
}
