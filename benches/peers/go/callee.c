/* cgo compiles what lies in this folder. */
#include "../../c/callee.c"
