/* Where the host has the key service from: host/shared.c loads it when the program runs, host/linked.c has it inside. */

#ifndef SERVICE_H
#define SERVICE_H

#include <stdint.h>

struct service {
    int (*get)(const char *name, unsigned char *key);
    uint64_t (*fetched)(void);
    unsigned (*fetch_many)(unsigned count, int way, unsigned delay_ms, uint64_t *took_ns);
};

/* Finds the service, in the library at that path if it has to be loaded. Returns 0, or says why not and returns -1. */
int find_service(struct service *service, const char *path);

#endif
