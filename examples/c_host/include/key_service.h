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

/* Fetches so many keys at once, and waits for all of them: on a green thread each, or, if by_os_threads is not 0, on an OS thread each. For
 * comparison. Threads: any. Blocks: may. Returns how many came.
 */
unsigned key_service_fetch_many(unsigned count, int by_os_threads);

#ifdef __cplusplus
}
#endif

#endif
