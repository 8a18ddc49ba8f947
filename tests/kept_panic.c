/* C that goes on after a callback has failed. */

/* Calls back `times` times, writes each answer, and returns how many calls it made. */
long kept_panic_repeat(long (*f)(void *, long), void *context, long times, long *answers) {
    long made = 0;
    while (made < times) {
        answers[made] = f(context, made);
        made++;
    }
    return made;
}

extern long kept_panic_raise(const char *text);

/* Wants Rust to panic, in words of its own. */
long kept_panic_ask(void) {
    return kept_panic_raise("C is not amused");
}
