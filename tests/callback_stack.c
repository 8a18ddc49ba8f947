/* C that calls back from shallow and from deep stacks, and from stacks of its own making. */

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

typedef long (*callback)(void *, long);

/* Calls back below `bytes` more of stack. */
__attribute__((noinline)) long callback_stack_below(callback f, void *context, long number, long bytes) {
    volatile char frame[512];
    memset((char *)frame, 1, sizeof frame);
    long answer = bytes > 512 ? callback_stack_below(f, context, number, bytes - 512) : f(context, number);
    return answer + (frame[number & 511] - 1);
}

struct job {
    callback f;
    void *context;
    long number;
    long answer;
    ucontext_t back, own;
};

static void run_job(unsigned high, unsigned low) {
    struct job *job = (struct job *)(((unsigned long)high << 32) | low);
    job->answer = job->f(job->context, job->number);
}

/* Calls back from a stack that C has made. */
long callback_stack_on_own_stack(callback f, void *context, long number, char *stack, long size) {
    struct job job = {.f = f, .context = context, .number = number};
    unsigned long address = (unsigned long)&job;
    getcontext(&job.own);
    job.own.uc_stack.ss_sp = stack;
    job.own.uc_stack.ss_size = (size_t)size;
    job.own.uc_link = &job.back;
    makecontext(&job.own, (void (*)(void))run_job, 2, (unsigned)(address >> 32), (unsigned)address);
    swapcontext(&job.back, &job.own);
    return job.answer;
}

/* The same on two stacks that overlap in part, one after the other. */
long callback_stack_on_overlapping_stacks(callback f, void *context, long number) {
    const long size = 64 * 1024;
    char *memory = malloc((size_t)size * 3 / 2);
    long sum = callback_stack_on_own_stack(f, context, number, memory, size);
    sum += callback_stack_on_own_stack(f, context, number, memory + size / 2, size);
    sum += callback_stack_on_own_stack(f, context, number, memory, size);
    free(memory);
    return sum;
}
