/* A toy of a TLS library: in the middle of a handshake it needs a key, and asks for it by a callback. The answer must be what the
 * callback returns: there is no "later". */

#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#define HANDSHAKE_KEY_SIZE 16

/* Writes the key of that name, and returns 0; anything else ends the handshake. */
typedef int handshake_key(void *user, const char *name, unsigned char *key);

/* Does one handshake with a server. Returns 0, or -1 if there was no key, or the wrong one. */
int handshake(const char *server, handshake_key *key, void *user);

#endif
