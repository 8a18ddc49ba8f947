/* What many keys at once cost: on green threads, on a pool of OS threads such as async runtimes have, and on an OS thread for each. */

#ifndef COMPARE_H
#define COMPARE_H

#include "service.h"

/* Runs this program once for each way, so that each is measured in a process of its own, and prints the figures side by side. Returns 0, or -1 if
 * one fails. */
int compare(const char *library);

/* In such a process: measures the way of that number, and prints a line. Returns 0, or -1 if a key did not come. */
int measure(const struct service *service, const char *number);

#endif
