// What it costs to call C and to be called by it, and the program of Go issue 60961.
package main

/*
#cgo CFLAGS: -O2
#include <stdlib.h>
#include "../../c/callee.h"
extern int goAdd(int);
*/
import "C"

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Callbacks. x picks a counter, each on a cache line of its own.

var counters [64]struct {
	n int64
	_ [56]byte
}

//export goAdd
func goAdd(x C.int) C.int { counters[x].n++; return x }

var addFn = (C.callback)(C.goAdd)

var ping, pong chan int

//export goEcho
func goEcho(x C.int) C.int { pong <- <-ping + 1; return x }

var gate chan struct{}
var blocked atomic.Int64

//export goWait
func goWait(x C.int) C.int { blocked.Add(1); <-gate; return x }

//export c_call_get_value
func c_call_get_value(key *C.uint8_t, value *C.uint8_t) {
	_ = C.GoBytes(unsafe.Pointer(key), 32)
	out := unsafe.Slice((*byte)(value), 32)
	for i, b := range make([]byte, 32) {
		out[i] = b
	}
}

func cCall() {
	perOp("c_call", 20_000_000, func(n int) {
		sum := 0
		for i := 0; i < n; i++ {
			sum += int(C.callee_empty(1))
		}
		check(sum == n, "c_call")
	})
}

func cCallback() {
	perOp("c_callback", 10_000_000, func(n int) {
		before := counters[0].n
		C.callee_loop(addFn, 0, C.long(n))
		check(counters[0].n == before+int64(n), "c_callback")
	})
}

func cCallCallback() {
	perOp("c_call_callback", 6_000_000, func(n int) {
		before := counters[0].n
		for i := 0; i < n; i++ {
			C.callee_loop(addFn, 0, 1)
		}
		check(counters[0].n == before+int64(n), "c_call_callback")
	})
}

func cParCallback() {
	perOp("c_par_callback", 8_000_000, func(n int) {
		var wg sync.WaitGroup
		for w := 0; w < workers; w++ {
			wg.Add(1)
			go func(w int) {
				before := counters[w].n
				C.callee_loop(addFn, C.int(w), C.long(n))
				check(counters[w].n == before+int64(n), "c_par_callback")
				wg.Done()
			}(w)
		}
		wg.Wait()
	})
}

func cThreadCallback() {
	n := scaled(8_000_000)
	var first, rest C.double
	C.callee_thread(addFn, 0, C.long(n/10), &first, &rest)
	C.callee_thread(addFn, 0, C.long(n), &first, &rest)
	check(counters[0].n == int64(n/10+n+2), "c_thread_callback")
	put("c_thread_callback", float64(rest), "ns")
}

func cThreadFirst() {
	var v []float64
	for i := 0; i < max1(scaled(220)); i++ {
		var first, rest C.double
		C.callee_thread(addFn, 0, 0, &first, &rest)
		v = append(v, float64(first))
	}
	if len(v) > 20 {
		v = v[20:]
	}
	sort.Float64s(v)
	put("c_thread_first", v[len(v)/2], "ns")
}

func seed() {
	run := func(n int) time.Duration {
		tasks := make(chan struct{}, n)
		for i := 0; i < n; i++ {
			tasks <- struct{}{}
		}
		close(tasks)
		key := make([]byte, 32)
		var wg sync.WaitGroup
		var done atomic.Int64
		start := time.Now()
		for w := 0; w < workers; w++ {
			wg.Add(1)
			go func() {
				count := 0
				for range tasks {
					ckey := C.CBytes(key)
					cvalue := C.malloc(32)
					C.get_value((*C.uint8_t)(ckey), (*C.uint8_t)(cvalue))
					value := C.GoBytes(cvalue, 32)
					check(value[31] == 0, "seed value")
					C.free(ckey)
					C.free(cvalue)
					count++
				}
				done.Add(int64(count))
				wg.Done()
			}()
		}
		wg.Wait()
		t := time.Since(start)
		check(done.Load() == int64(n), "seed")
		return t
	}
	run(scaled(100_000))
	put("seed", run(scaled(10_000_000)).Seconds()*1e3, "ms")
}
