/* The C half: asks Rust for the value that belongs to a key. Keys and values are 32 bytes. */
#include <stdint.h>
#include <string.h>

/* Exported by Rust (gates.rs): the same answer behind the gate of the runtime, behind Go's gate until 1.21, and behind
   none at all. */
extern void c_call_rust_get_value(uint8_t *key32, uint8_t *value32);
extern void c_call_rust_get_value_before(uint8_t *key32, uint8_t *value32);
extern void c_call_rust_get_value_ungated(uint8_t *key32, uint8_t *value32);

void get_value(uint8_t *key32, uint8_t *value32) {
    uint8_t value[32];
    c_call_rust_get_value(key32, value);
    memcpy(value32, value, 32);
}

void get_value_before(uint8_t *key32, uint8_t *value32) {
    uint8_t value[32];
    c_call_rust_get_value_before(key32, value);
    memcpy(value32, value, 32);
}

void get_value_ungated(uint8_t *key32, uint8_t *value32) {
    uint8_t value[32];
    c_call_rust_get_value_ungated(key32, value);
    memcpy(value32, value, 32);
}
