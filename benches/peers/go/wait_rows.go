// What others notice while C takes long, and what goroutines cost while they wait.
package main

/*
#include "../../c/callee.h"
#include "../../c/gauge.h"
extern int goWait(int);
*/
import "C"

import (
	"fmt"
	"io"
	"math/rand"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// slices does fixed pieces of CPU work with a yield after each, for a window of time; pieces per second.
func slices(window time.Duration) float64 {
	count, x := 0, uint64(1)
	start := time.Now()
	for time.Since(start) < window {
		for i := 0; i < 20_000; i++ {
			x = x*6364136223846793005 + 1442695040888963407
		}
		count++
		runtime.Gosched()
	}
	check(x != 0, "slices")
	return float64(count) / time.Since(start).Seconds()
}

func blockingProgress() {
	window := time.Duration(scale * float64(700*time.Millisecond))
	slices(window / 7)
	alone := slices(window)
	var stop atomic.Bool
	var calls atomic.Int64
	var wg sync.WaitGroup
	for i := 0; i < 64; i++ {
		wg.Add(1)
		go func() {
			for !stop.Load() {
				C.callee_usleep(20_000)
				calls.Add(1)
			}
			wg.Done()
		}()
	}
	slices(window / 7)
	start, before := time.Now(), calls.Load()
	put("blocking_progress.cpu", slices(window)/alone, "ratio")
	ideal := 64 * time.Since(start).Seconds() / 0.020
	put("blocking_progress.calls", float64(calls.Load()-before)/ideal, "ratio")
	stop.Store(true)
	wg.Wait()
}

func handoff() {
	runtime.GOMAXPROCS(1)
	var start, delay atomic.Int64
	var stop atomic.Bool
	done := make(chan int)
	go func() {
		count := 0
		for !stop.Load() {
			if s := start.Load(); s != 0 {
				delay.Store(now() - s)
				start.Store(0)
			}
			count++
			runtime.Gosched()
		}
		done <- count
	}()
	var v []float64
	for i := 0; i < scaled(100); i++ {
		runtime.Gosched()
		start.Store(now())
		C.callee_usleep(30_000)
		for start.Load() != 0 {
			runtime.Gosched()
		}
		v = append(v, float64(delay.Load())/1e3)
	}
	stop.Store(true)
	check(<-done >= len(v), "handoff")
	quantiles("handoff", v, "us")
}

func handoffOnce() {
	runtime.GOMAXPROCS(1)
	var v []float64
	for i := 0; i < scaled(40); i++ {
		time.Sleep(50 * time.Millisecond)
		start, delay := now(), make(chan int64, 1)
		go func() { delay <- now() - start }()
		C.callee_usleep(30_000)
		v = append(v, float64(<-delay)/1e3)
	}
	quantiles("handoff_once", v, "us")
}

func blockedCallbacks() {
	var wg sync.WaitGroup
	gate = make(chan struct{})
	before := C.gauge_threads()
	for i := 0; i < 200; i++ {
		wg.Add(1)
		go func() { C.callee_loop((C.callback)(C.goWait), 0, 1); wg.Done() }()
	}
	for blocked.Load() < 200 {
		time.Sleep(time.Millisecond)
	}
	put("blocked_callbacks.during", float64(C.gauge_threads()-before), "threads")
	close(gate)
	wg.Wait()
	time.Sleep(15 * time.Second)
	put("blocked_callbacks.after", float64(C.gauge_threads()-before), "threads")
}

func sleepers() {
	n := scaled(100_000)
	late := make([]float64, n)
	var wg sync.WaitGroup
	wg.Add(n)
	for i := 0; i < n; i++ {
		d := time.Duration(rand.Int63n(int64(500 * time.Millisecond)))
		go func(i int) {
			start := time.Now()
			time.Sleep(d)
			late[i] = float64(time.Since(start)-d) / 1e3
			wg.Done()
		}(i)
	}
	wg.Wait()
	quantiles("sleepers", late, "us")
}

// park starts n goroutines that wait for the gate to close, and returns when all wait.
func park(n int) (release func()) {
	gate = make(chan struct{})
	var wg sync.WaitGroup
	var up atomic.Int64
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() { up.Add(1); <-gate; wg.Done() }()
	}
	for up.Load() < int64(n) {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond)
	return func() { close(gate); wg.Wait() }
}

func parkedMem() {
	n := scaled(1_000_000)
	before := C.gauge_memory()
	release := park(n)
	put("parked_mem", float64(C.gauge_memory()-before)/float64(n), "B")
	release()
}

func echo() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, "listen")
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				buf := make([]byte, 64)
				for {
					if _, err := io.ReadFull(c, buf); err != nil {
						return
					}
					if _, err := c.Write(buf); err != nil {
						return
					}
				}
			}()
		}
	}()
	conns := make([]net.Conn, 64)
	for i := range conns {
		conns[i], err = net.Dial("tcp", listener.Addr().String())
		check(err == nil, "dial")
	}
	run := func(each int) time.Duration {
		start := time.Now()
		var wg sync.WaitGroup
		for i := range conns {
			wg.Add(1)
			go func(c net.Conn) {
				out, in := make([]byte, 64), make([]byte, 64)
				for j := 0; j < each; j++ {
					out[0] = byte(j)
					_, e1 := c.Write(out)
					_, e2 := io.ReadFull(c, in)
					check(e1 == nil && e2 == nil && in[0] == byte(j), "echo")
				}
				wg.Done()
			}(conns[i])
		}
		wg.Wait()
		return time.Since(start)
	}
	each := scaled(1500)
	run(max1(each / 10))
	put("echo", float64(64*each)/run(each).Seconds(), "msg/s")
}

func idle() {
	park(1000)
	window := time.Duration(scale * float64(3*time.Second))
	cpu, switches := C.gauge_cpu_ns(), C.gauge_switches()
	time.Sleep(window)
	put("idle.cpu", float64(C.gauge_cpu_ns()-cpu)/1e6/window.Seconds(), "ms/s")
	put("idle.switches", float64(C.gauge_switches()-switches)/window.Seconds(), "1/s")
}

func firstSpawn() {
	program, row := C.CString("/proc/self/exe"), C.CString("first_spawn_child")
	var process, rt C.double
	check(C.gauge_cold_start(program, row, C.int(scaled(60)), &process, &rt) == 0, "gauge_cold_start")
	put("first_spawn.process", float64(process), "us")
}

func firstSpawnChild() {
	at := make(chan int64)
	go func() { at <- int64(C.gauge_now_ns()) }()
	fmt.Println(<-at, 0)
}
