/* zlib and OpenSSL, loaded when they are asked for: the program is built and runs without them. Each function returns 0 if it did
 * what it was asked for, and MISSING if the library is not here. */

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { MISSING = -2 };

/* The function `name` of a library that was loaded, with its type. */
#define FUNCTION(library, result, name, parameters) ((result(*) parameters)dlsym(library, name))

int stack_use_compress(void) {
    void *zlib = dlopen("libz.so.1", RTLD_NOW);
    if (zlib == NULL) {
        return MISSING;
    }
    enum { SIZE = 200000 };
    unsigned char *plain = malloc(SIZE), *packed = malloc(SIZE), *again = malloc(SIZE);
    for (int at = 0; at < SIZE; at++) {
        plain[at] = (unsigned char)("text that repeats"[at % 17] + at % 3);
    }
    unsigned long packed_size = SIZE, again_size = SIZE;
    int done = FUNCTION(zlib, int, "compress2", (void *, unsigned long *, void *, unsigned long, int))(
                   packed, &packed_size, plain, SIZE, 9) == 0 &&
               FUNCTION(zlib, int, "uncompress", (void *, unsigned long *, void *, unsigned long))(
                   again, &again_size, packed, packed_size) == 0 &&
               again_size == SIZE && memcmp(plain, again, SIZE) == 0;
    free(plain);
    free(packed);
    free(again);
    return done ? 0 : -1;
}

static void *ssl;

/* OpenSSL 3, with the library that it needs; both are found through it. */
static int load_ssl(void) {
    if (ssl == NULL) {
        ssl = dlopen("libssl.so.3", RTLD_NOW);
    }
    return ssl != NULL;
}

#define SSL(result, name, parameters) FUNCTION(ssl, result, name, parameters)

static void *key;
static void *certificate;

/* Makes a key and a certificate that it has signed. */
static int make_certificate(void *(*make_key)(void)) {
    key = make_key();
    certificate = SSL(void *, "X509_new", (void))();
    if (key == NULL || certificate == NULL) {
        return -1;
    }
    void *name = SSL(void *, "X509_get_subject_name", (void *))(certificate);
    SSL(int, "X509_NAME_add_entry_by_txt", (void *, const char *, int, const char *, int, int, int))
    (name, "CN", 0x1001, "localhost", -1, -1, 0);
    SSL(int, "X509_set_issuer_name", (void *, void *))(certificate, name);
    SSL(void *, "X509_gmtime_adj", (void *, long))(SSL(void *, "X509_getm_notBefore", (void *))(certificate), 0);
    SSL(void *, "X509_gmtime_adj", (void *, long))(SSL(void *, "X509_getm_notAfter", (void *))(certificate), 86400);
    SSL(int, "X509_set_pubkey", (void *, void *))(certificate, key);
    void *digest = SSL(void *, "EVP_sha256", (void))();
    return SSL(int, "X509_sign", (void *, void *, void *))(certificate, key, digest) > 0 ? 0 : -1;
}

static void *make_rsa_key(void) {
    return SSL(void *, "EVP_PKEY_Q_keygen", (void *, const char *, const char *, ...))(NULL, NULL, "RSA", (size_t)2048);
}

static void *make_elliptic_key(void) {
    return SSL(void *, "EVP_PKEY_Q_keygen", (void *, const char *, const char *, ...))(NULL, NULL, "EC", "P-256");
}

int stack_use_make_rsa_certificate(void) {
    return load_ssl() ? make_certificate(make_rsa_key) : MISSING;
}

int stack_use_make_elliptic_certificate(void) {
    return load_ssl() ? make_certificate(make_elliptic_key) : MISSING;
}

/* One side of a connection, over two buffers in memory. */
static void *make_side(void *settings, void *in, void *out, int is_server) {
    void *side = SSL(void *, "SSL_new", (void *))(settings);
    SSL(void, "SSL_set_bio", (void *, void *, void *))(side, in, out);
    SSL(void, is_server ? "SSL_set_accept_state" : "SSL_set_connect_state", (void *))(side);
    return side;
}

/* Shakes hands with ourselves; the client checks the server's certificate, which was made before. */
int stack_use_shake_hands(void) {
    if (!load_ssl()) {
        return MISSING;
    }
    void *server = SSL(void *, "SSL_CTX_new", (void *))(SSL(void *, "TLS_server_method", (void))());
    void *client = SSL(void *, "SSL_CTX_new", (void *))(SSL(void *, "TLS_client_method", (void))());
    SSL(int, "SSL_CTX_use_certificate", (void *, void *))(server, certificate);
    SSL(int, "SSL_CTX_use_PrivateKey", (void *, void *))(server, key);
    SSL(int, "X509_STORE_add_cert", (void *, void *))(SSL(void *, "SSL_CTX_get_cert_store", (void *))(client), certificate);
    SSL(void, "SSL_CTX_set_verify", (void *, int, void *))(client, 1, NULL);

    void *memory = SSL(void *, "BIO_s_mem", (void))();
    void *up = SSL(void *, "BIO_new", (void *))(memory), *down = SSL(void *, "BIO_new", (void *))(memory);
    /* Each side gives back one reference to each buffer. */
    SSL(int, "BIO_up_ref", (void *))(up);
    SSL(int, "BIO_up_ref", (void *))(down);
    void *serving = make_side(server, up, down, 1), *asking = make_side(client, down, up, 0);
    int (*shake)(void *) = SSL(int, "SSL_do_handshake", (void *));
    int served = 0, asked = 0;
    for (int turn = 0; turn < 10 && !(served == 1 && asked == 1); turn++) {
        asked = shake(asking);
        served = shake(serving);
    }
    void (*free_side)(void *) = SSL(void, "SSL_free", (void *));
    void (*free_settings)(void *) = SSL(void, "SSL_CTX_free", (void *));
    free_side(serving);
    free_side(asking);
    free_settings(server);
    free_settings(client);
    return served == 1 && asked == 1 ? 0 : -1;
}
