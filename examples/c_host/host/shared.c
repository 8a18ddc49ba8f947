/* The service is a plug-in, loaded when the program runs. */

#include <dlfcn.h>
#include <key_service.h>
#include <stdio.h>
#include <string.h>

#include "service.h"

/* Stores the address of a function in a pointer to a function. */
static int find(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);
    if (found == NULL)
        return -1;
    memcpy(function, &found, sizeof found);
    return 0;
}

int find_service(struct service *service, const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || find(library, "key_service_get", &service->get) != 0 ||
        find(library, "key_service_fetched", &service->fetched) != 0 ||
        find(library, "key_service_fetch_many", &service->fetch_many) != 0) {
        fprintf(stderr, "%s\n", dlerror());
        return -1;
    }
    return 0;
}
