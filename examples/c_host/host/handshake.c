#include "handshake.h"

#include <string.h>

int handshake(const char *server, handshake_key *key, void *user) {
    unsigned char got[HANDSHAKE_KEY_SIZE];
    size_t length = strlen(server), place;
    if (key(user, server, got) != 0)
        return -1;
    for (place = 0; place < sizeof got; place++)
        if (got[place] != (unsigned char)(server[place % length] + place))
            return -1;
    return 0;
}
