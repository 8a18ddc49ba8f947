/* C that changes what belongs to its OS thread, and expects it as it left it when a callback returns. */

#define _GNU_SOURCE
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

typedef long (*callback)(void *, long);

/* 0 if signal mask, locale, rounding mode and alternate signal stack are the same after a callback as C has set them before;
 * otherwise what is not, as a sum of 1, 2, 4 and 8. All are put back. */
long entry_thread_state_changes(callback f, void *context, long number) {
    enum { SIZE = 128 * 1024 };
    static const int rounding[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    long wrong = 0;
    sigset_t set, mask_before, mask_after;
    stack_t own = {.ss_sp = malloc(SIZE), .ss_size = SIZE}, stack_before, stack_after;
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + (int)(number % 8));
    pthread_sigmask(SIG_BLOCK, &set, &mask_before);
    locale_t locale_before = uselocale(locale);
    fesetround(rounding[number % 4]);
    sigaltstack(&own, &stack_before);

    f(context, number);

    pthread_sigmask(SIG_BLOCK, 0, &mask_after);
    for (int other = 0; other < 8; other++) {
        int expected = other == number % 8 || sigismember(&mask_before, SIGRTMIN + other);
        if (sigismember(&mask_after, SIGRTMIN + other) != expected) {
            wrong |= 1;
        }
    }
    wrong |= uselocale((locale_t)0) != locale ? 2 : 0;
    wrong |= fegetround() != rounding[number % 4] ? 4 : 0;
    sigaltstack(0, &stack_after);
    wrong |= stack_after.ss_sp != own.ss_sp ? 8 : 0;

    sigaltstack(&stack_before, 0);
    fesetround(FE_TONEAREST);
    uselocale(locale_before);
    pthread_sigmask(SIG_SETMASK, &mask_before, 0);
    freelocale(locale);
    free(own.ss_sp);
    return wrong;
}

/* Gives the OS thread an alternate signal stack of C's, or none, for good. */
long entry_thread_state_keeps_stack(long bytes) {
    stack_t own = {.ss_sp = bytes == 0 ? 0 : malloc((size_t)bytes),
                   .ss_flags = bytes == 0 ? SS_DISABLE : 0,
                   .ss_size = (size_t)bytes};
    return sigaltstack(&own, 0);
}

/* Leaves the OS thread with another rounding mode. */
long entry_thread_state_keeps_rounding(long upward) {
    return fesetround(upward ? FE_UPWARD : FE_TONEAREST);
}

/* Whether numbers are rounded upwards here. */
long entry_thread_state_rounds_upward(void) {
    return fegetround() == FE_UPWARD;
}
