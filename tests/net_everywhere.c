/* C that reads through a callback until its end, as parsers do. */

/* The sum of all bytes; -1 if the callback reports an error by a number below -1. */
long net_everywhere_sum(long (*next_byte)(void *, long), void *context) {
    long sum = 0, byte;
    while ((byte = next_byte(context, sum)) >= 0)
        sum += byte;
    return byte == -1 ? sum : -1;
}
