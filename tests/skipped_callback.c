/* C that leaves a callback by a jump instead of a return. */

#include <setjmp.h>

static _Thread_local jmp_buf back;

/* Calls back; 1 if the callback was jumped out of. */
long skipped_callback_enter(long (*f)(void *, long), void *context, long number) {
    if (setjmp(back) != 0) {
        return 1;
    }
    f(context, number);
    return 0;
}

/* Jumps back into `skipped_callback_enter`, past whatever lies in between. */
long skipped_callback_jump(void) {
    longjmp(back, 1);
}

/* Jumps within C only, which concerns nobody. */
long skipped_callback_jump_in_c(void) {
    jmp_buf here;
    volatile long turns = 0;
    if (setjmp(here) < 3) {
        turns++;
        longjmp(here, (int)turns);
    }
    return turns;
}
