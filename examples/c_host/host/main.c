/* A host in C. Its own threads do handshakes with servers; for each, the TLS library asks for a key in a callback, and the callback asks a service that
 * has to fetch it. The host knows nothing of Rust, green threads or runtimes: it starts none and initialises nothing.
 *
 *   host LIBRARY [compare]      loads the service
 *   host_linked - [compare]     has it inside
 *
 * With `compare` it also prints what a thousand keys at once cost, on green threads and in the two ways that are usual without.
 */

#include <key_service.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "handshake.h"
#include "service.h"

enum { THREADS = 8, HANDSHAKES = 50, SERVERS = 10 };

struct worker {
    pthread_t thread;
    const struct service *service;
    int first, failures;
};

/* The TLS library calls this in the middle of a handshake. */
static int key_for(void *user, const char *name, unsigned char *key) {
    const struct service *service = user;
    return service->get(name, key);
}

static void *work(void *arg) {
    struct worker *worker = arg;
    int n;
    for (n = 0; n < HANDSHAKES; n++) {
        char server[32];
        snprintf(server, sizeof server, "server-%d.example", (worker->first + n) % SERVERS);
        if (handshake(server, key_for, (void *)worker->service) != 0)
            worker->failures++;
    }
    return NULL;
}

int main(int count, char **arguments) {
    static struct worker workers[THREADS];
    const char *library = count > 1 ? arguments[1] : "libkey_service.so";
    struct service service;
    int n, failures = 0;

    if (find_service(&service, library) != 0)
        return 1;
    if (count > 3 && strcmp(arguments[2], "measure") == 0)
        return measure(&service, arguments[3]) != 0;
    for (n = 0; n < THREADS; n++) {
        workers[n].service = &service;
        workers[n].first = n;
        if (pthread_create(&workers[n].thread, NULL, work, &workers[n]) != 0) {
            fprintf(stderr, "no more threads\n");
            return 1;
        }
    }
    for (n = 0; n < THREADS; n++) {
        pthread_join(workers[n].thread, NULL);
        failures += workers[n].failures;
    }
    printf("%d handshakes by %d threads of the host, %d failed, %d keys fetched\n", THREADS * HANDSHAKES, THREADS, failures,
           (int)service.fetched());
    if (count > 2 && strcmp(arguments[2], "compare") == 0 && compare(library) != 0)
        failures++;
    return failures != 0;
}
