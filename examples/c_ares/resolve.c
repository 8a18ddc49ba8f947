/*
 * The C half: one lookup by c-ares, which owns its sockets and says which of them it wants to read or write, and until when. The loop is the one of
 * its manual; in place of select(2) stands waits_poll(), in which only the green thread waits.
 */
#include <ares.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "../support/waits.h"

struct lookup; /* Rust's: who has asked */

/* An export of lookup.rs: an address was found, 4 bytes in the order of the network, after so many tries without an answer. It may wait. */
void c_ares_found(const struct lookup *lookup, const unsigned char *address, int timeouts);

/* What lookup.rs calls. */
int c_ares_set_up(void);
int c_ares_resolve(const char *server, const char *name, const struct lookup *lookup, const struct waits *waits, char *error, size_t room);

/* A lookup that is under way. */
struct asked {
    const struct lookup *lookup;
    int is_over, status;
};

static void on_answer(void *user, int status, int timeouts, struct hostent *host)
{
    struct asked *asked = user;
    asked->is_over = 1;
    asked->status = status;
    if (status == ARES_SUCCESS && host->h_length == 4 && host->h_addr_list[0] != NULL)
        c_ares_found(asked->lookup, (const unsigned char *)host->h_addr_list[0], timeouts);
}

/* Which sockets the channel wants to wait for. */
static size_t wanted(ares_channel channel, struct pollfd *files)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    int mask = ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM), at;
    size_t count = 0;
    for (at = 0; at < ARES_GETSOCK_MAXNUM; at++) {
        short events = (short)((ARES_GETSOCK_READABLE(mask, at) ? POLLIN : 0) | (ARES_GETSOCK_WRITABLE(mask, at) ? POLLOUT : 0));
        if (events != 0)
            files[count++] = (struct pollfd){.fd = sockets[at], .events = events};
    }
    return count;
}

/* Milliseconds until the channel wants to be called again; -1: for ever. */
static int left(ares_channel channel)
{
    struct timeval room, *time = ares_timeout(channel, NULL, &room);
    return time == NULL ? -1 : (int)(time->tv_sec * 1000 + (time->tv_usec + 999) / 1000);
}

static void drive(ares_channel channel, struct asked *asked, const struct waits *waits)
{
    while (!asked->is_over) {
        struct pollfd files[ARES_GETSOCK_MAXNUM];
        size_t count = wanted(channel, files), at;
        int ready = waits_poll(waits, files, count, left(channel));
        if (ready < 0)
            ares_cancel(channel); /* calls on_answer */
        else if (ready == 0)
            ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* the time is over: it asks again, or gives up */
        else
            for (at = 0; at < count; at++)
                if (files[at].revents != 0)
                    ares_process_fd(channel, files[at].revents & ~POLLOUT ? files[at].fd : ARES_SOCKET_BAD,
                                    files[at].revents & POLLOUT ? files[at].fd : ARES_SOCKET_BAD);
    }
}

int c_ares_set_up(void)
{
    return ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -1;
}

int c_ares_resolve(const char *server, const char *name, const struct lookup *lookup, const struct waits *waits, char *error, size_t room)
{
    struct asked asked = {lookup, 0, ARES_SUCCESS};
    char dns_only[] = "b";
    struct ares_options options = {.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES, .timeout = 200, .tries = 5, .lookups = dns_only};
    int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS;
    ares_channel channel;
    int status = ares_init_options(&channel, &options, given);
    if (status == ARES_SUCCESS) {
        status = ares_set_servers_ports_csv(channel, server);
        if (status == ARES_SUCCESS) {
            ares_gethostbyname(channel, name, AF_INET, on_answer, &asked);
            drive(channel, &asked, waits);
            status = asked.status;
        }
        ares_destroy(channel);
    }
    snprintf(error, room, "%s", ares_strerror(status));
    return status == ARES_SUCCESS ? 0 : -1;
}
