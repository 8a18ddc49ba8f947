/* A service that knows keys. It is written in Rust, and needs no initialising. */

#ifndef KEY_SERVICE_H
#define KEY_SERVICE_H

#include <stdint.h>

#define KEY_SERVICE_KEY_SIZE 16

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the key of that name to key, which has room for KEY_SERVICE_KEY_SIZE bytes.
 *
 * Threads: any, also in callbacks. Blocks: may; the key may have to be fetched. Callbacks: none.
 * Returns 0, or -1 if the name is not UTF-8, a pointer is NULL, or the service cannot be started.
 */
int key_service_get(const char *name, unsigned char *key);

/* How many keys have been fetched. Threads: any. Blocks: no. */
uint64_t key_service_fetched(void);

/* How key_service_fetch_many() waits for each key. */
#define KEY_SERVICE_GREEN_THREADS 0 /* on a green thread */
#define KEY_SERVICE_POOL 1          /* on one of 512 OS threads, when its turn comes */
#define KEY_SERVICE_OS_THREADS 2    /* on an OS thread */

/* Fetches so many keys at once, each from a place that takes that long to answer, and waits for all of them. For comparison. Writes to took_ns, which
 * has room for count numbers, how many nanoseconds after the call each came.
 *
 * Threads: any. Blocks: may. Returns how many came.
 */
unsigned key_service_fetch_many(unsigned count, int way, unsigned delay_ms, uint64_t *took_ns);

#ifdef __cplusplus
}
#endif

#endif
