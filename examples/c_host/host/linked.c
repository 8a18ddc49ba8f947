/* The service is part of the program. */

#include <key_service.h>

#include "service.h"

int find_service(struct service *service, const char *path) {
    (void)path;
    service->get = key_service_get;
    service->fetched = key_service_fetched;
    service->fetch_many = key_service_fetch_many;
    return 0;
}
