/* What many keys at once cost, on green threads and on OS threads. */

#ifndef COMPARE_H
#define COMPARE_H

#include "service.h"

/* Prints a line for each way. Returns 0, or -1 if a key did not come. */
int compare(const struct service *service);

#endif
