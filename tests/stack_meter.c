/* C that uses as much stack as it is told. */

#include <alloca.h>
#include <stddef.h>

/* Touches the lowest byte of a frame of `bytes`, and no other. */
long stack_meter_frame(size_t bytes) {
    volatile char *lowest = alloca(bytes);
    *lowest = 1;
    return *lowest;
}

/* As deep, with a frame for each 256 bytes or so. */
long stack_meter_chain(size_t bytes) {
    volatile char frame[200];
    frame[0] = 1;
    if (bytes <= 256) {
        return frame[0];
    }
    return stack_meter_chain(bytes - 256) + frame[0];
}

/* Calls back from a frame of `bytes`. */
long stack_meter_call_back(size_t bytes, long (*f)(void *, long), void *context) {
    volatile char *lowest = alloca(bytes);
    *lowest = 1;
    return f(context, *lowest);
}

/* What a frame of `bytes` does that is built without stack probes: it touches the far end first. */
long stack_meter_jump(size_t bytes) {
    volatile char *lowest = (volatile char *)__builtin_frame_address(0) - bytes;
    *lowest = 1;
    return *lowest;
}
