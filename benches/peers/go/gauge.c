/* cgo compiles what lies in this folder. */
#include "../../c/gauge.c"
