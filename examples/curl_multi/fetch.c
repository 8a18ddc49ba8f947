/*
 * The C half: one transfer by libcurl's multi interface, which owns the sockets and says what it wants to wait for. The loop below is the one that
 * libcurl's manual shows for poll(2); in place of poll(2) stands waits_poll(), in which only the green thread waits.
 *
 * Where a wait can happen: in waits_poll(), with no frame of libcurl's on the stack, and in curl_multi_take(), which libcurl calls back for each piece
 * of an answer.
 */
#include <curl/curl.h>
#include <string.h>

#include "../support/waits.h"

struct transfer; /* Rust's: where the bytes go */

/* An export of transfer.rs: takes a piece, and waits until there is room for it. 0, or -1 if the transfer is to end. */
int curl_multi_take(const struct transfer *transfer, const char *bytes, size_t size);

/* What transfer.rs calls. */
int curl_multi_set_up(void);
int curl_multi_fetch(const char *url, const struct transfer *transfer, const struct waits *waits, char *error, size_t room);

/* A name server or two, and a connection with a second address family behind it. */
enum { FILES = 16 };

/* What libcurl wants. */
struct wants {
    struct pollfd files[FILES];
    size_t count;
    long long deadline; /* -1: none */
};

/* libcurl wants to wait for another file, for something else of one, or for one no more. */
static int on_socket(CURL *easy, curl_socket_t file, int what, void *user, void *unused)
{
    struct wants *wants = user;
    size_t at = 0;
    (void)easy, (void)unused;
    while (at < wants->count && wants->files[at].fd != file)
        at++;
    if (what == CURL_POLL_REMOVE) {
        if (at < wants->count)
            wants->files[at] = wants->files[--wants->count];
        return 0;
    }
    if (at == FILES)
        return -1;
    wants->files[at].fd = file;
    wants->files[at].events = (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
    if (at == wants->count)
        wants->count++;
    return 0;
}

/* libcurl wants to be called when the time is over; -1: no more. */
static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct wants *wants = user;
    (void)multi;
    wants->deadline = timeout_ms < 0 ? -1 : waits_now() + timeout_ms;
    return 0;
}

static size_t on_bytes(char *bytes, size_t one, size_t size, void *transfer)
{
    (void)one;
    return curl_multi_take(transfer, bytes, size) == 0 ? size : 0;
}

static int left(const struct wants *wants)
{
    long long left = wants->deadline - waits_now();
    if (wants->deadline < 0)
        return -1;
    return left < 0 ? 0 : left > 1000000 ? 1000000 : (int)left;
}

/* Does the transfers of `multi`. 0, or -1 if it is to end early. */
static int drive(CURLM *multi, struct wants *wants, const struct waits *waits)
{
    int running = 1;
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    while (running > 0) {
        /* A copy, for libcurl changes its wants while it is told what has come. */
        struct wants now = *wants;
        if (waits_poll(waits, now.files, now.count, left(wants)) < 0)
            return -1;
        for (size_t at = 0; at < now.count; at++) {
            int events = now.files[at].revents, what = 0;
            if (events & (POLLIN | POLLHUP))
                what |= CURL_CSELECT_IN;
            if (events & POLLOUT)
                what |= CURL_CSELECT_OUT;
            if (events & (POLLERR | POLLNVAL))
                what |= CURL_CSELECT_ERR;
            if (what != 0)
                curl_multi_socket_action(multi, now.files[at].fd, what, &running);
        }
        if (left(wants) == 0)
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return 0;
}

int curl_multi_set_up(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}

static int say(char *error, size_t room, const char *text)
{
    strncpy(error, text, room - 1);
    error[room - 1] = '\0';
    return -1;
}

int curl_multi_fetch(const char *url, const struct transfer *transfer, const struct waits *waits, char *error, size_t room)
{
    struct wants wants = {.count = 0, .deadline = -1};
    CURLM *multi = curl_multi_init();
    CURL *easy = curl_easy_init();
    CURLMsg *message;
    int result, messages;
    if (multi == NULL || easy == NULL || curl_multi_add_handle(multi, easy) != CURLM_OK) {
        curl_easy_cleanup(easy);
        curl_multi_cleanup(multi);
        return say(error, room, "no memory");
    }
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, &wants);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, &wants);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    /* Not to change what SIGPIPE does while a call is under way: others run meanwhile. */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, (void *)transfer);

    result = drive(multi, &wants, waits);
    if (result != 0)
        say(error, room, "cancelled");
    else if ((message = curl_multi_info_read(multi, &messages)) != NULL && message->data.result != CURLE_OK)
        result = say(error, room, curl_easy_strerror(message->data.result));
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
    return result;
}
