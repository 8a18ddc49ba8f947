/* Uses of the C library that are known for deep stacks. Each returns 0 if it did what it was asked for. */

#include <float.h>
#include <netdb.h>
#include <pwd.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int stack_use_print_number(void) {
    char text[100];
    return snprintf(text, sizeof text, "%d and %s", 42, "text") == 11 ? 0 : -1;
}

int stack_use_print_double(void) {
    char text[400];
    return snprintf(text, sizeof text, "%.17g %f", 0.1, DBL_MAX) > 300 ? 0 : -1;
}

/* 4,933 digits. */
int stack_use_print_long_double(void) {
    static char text[6000];
    return snprintf(text, sizeof text, "%Lf", LDBL_MAX) > 4900 ? 0 : -1;
}

/* From the file of hosts, no server is asked. */
int stack_use_resolve(void) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo("localhost", "80", &hints, &found) != 0) {
        return -1;
    }
    freeaddrinfo(found);
    return 0;
}

int stack_use_find_user(void) {
    char buffer[4096];
    struct passwd entry, *found;
    return getpwuid_r(0, &entry, buffer, sizeof buffer, &found) == 0 ? 0 : -1;
}

int stack_use_local_time(void) {
    time_t now = 1700000000;
    struct tm fields;
    char text[100];
    return localtime_r(&now, &fields) != NULL && strftime(text, sizeof text, "%c", &fields) > 0 ? 0 : -1;
}

static int compare(const void *left, const void *right) {
    return *(const int *)left - *(const int *)right;
}

int stack_use_sort(void) {
    enum { COUNT = 100000 };
    int *numbers = malloc(COUNT * sizeof *numbers);
    for (int at = 0; at < COUNT; at++) {
        numbers[at] = (at * 7919) % COUNT;
    }
    qsort(numbers, COUNT, sizeof *numbers, compare);
    int sorted = numbers[0] == 0 && numbers[COUNT - 1] == COUNT - 1;
    free(numbers);
    return sorted ? 0 : -1;
}

/* Matches `pattern` in a text of 16 KiB. */
static int match(const char *pattern) {
    static char text[16384];
    memset(text, 'a', sizeof text - 10);
    memcpy(text + sizeof text - 10, "b1.2.3.4c", 10);
    regex_t compiled;
    if (regcomp(&compiled, pattern, REG_EXTENDED) != 0) {
        return -1;
    }
    regmatch_t groups[3];
    int found = regexec(&compiled, text, 3, groups, 0);
    regfree(&compiled);
    return found;
}

int stack_use_match(void) {
    return match("([0-9]{1,3}[.]){3}[0-9]{1,3}");
}

/* A reference back makes the C library try many ways. */
int stack_use_match_back_reference(void) {
    return match("(a)\\1b[0-9]");
}
