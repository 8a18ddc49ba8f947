// What it costs to switch, to make goroutines, and to pass messages between them.
package main

/*
#include "../../c/callee.h"
extern int goEcho(int);
*/
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func yields(row string, threads int) func() {
	return func() {
		perOp(row, 4_000_000, func(n int) {
			var wg sync.WaitGroup
			for t := 0; t < threads; t++ {
				wg.Add(1)
				go func() {
					for i := 0; i < n/threads; i++ {
						runtime.Gosched()
					}
					wg.Done()
				}()
			}
			wg.Wait()
		})
	}
}

func spawnJoin() {
	perOp("spawn_join", 1_000_000, func(n int) {
		var sum atomic.Int64
		for done := 0; done < n; done += 1000 {
			var wg sync.WaitGroup
			wg.Add(1000)
			for i := 0; i < 1000; i++ {
				go func() { sum.Add(1); wg.Done() }()
			}
			wg.Wait()
		}
		check(sum.Load() >= int64(n), "spawn_join")
	})
}

func pingPong() {
	perOp("pingpong", 1_500_000, func(n int) {
		ping, pong := make(chan int), make(chan int)
		go func() {
			for v := range ping {
				pong <- v + 1
			}
		}()
		v := 0
		for i := 0; i < n; i++ {
			ping <- v
			v = <-pong
		}
		close(ping)
		check(v == n, "pingpong")
	})
}

func pingPongCallback() {
	perOp("pingpong_callback", 15_000, func(n int) {
		ping, pong = make(chan int), make(chan int)
		done := make(chan struct{})
		go func() {
			C.callee_loop((C.callback)(C.goEcho), 0, C.long(n))
			close(done)
		}()
		v := 0
		for i := 0; i < n; i++ {
			ping <- v
			v = <-pong
		}
		<-done
		check(v == n, "pingpong_callback")
	})
}

func mpmc() {
	perOp("mpmc", 4_000_000, func(n int) {
		ch := make(chan int, 1024)
		var producers, consumers sync.WaitGroup
		var sum atomic.Int64
		each := max1(n / 4)
		for i := 0; i < 4; i++ {
			producers.Add(1)
			consumers.Add(1)
			go func() {
				for j := 0; j < each; j++ {
					ch <- 1
				}
				producers.Done()
			}()
			go func() {
				s := 0
				for v := range ch {
					s += v
				}
				sum.Add(int64(s))
				consumers.Done()
			}()
		}
		producers.Wait()
		close(ch)
		consumers.Wait()
		check(sum.Load() == int64(4*each), "mpmc")
	})
}

func mutex() {
	perOp("mutex", 4_000_000, func(n int) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		counter, each := 0, max1(n/1000)
		for t := 0; t < 1000; t++ {
			wg.Add(1)
			go func() {
				for i := 0; i < each; i++ {
					mu.Lock()
					counter++
					mu.Unlock()
				}
				wg.Done()
			}()
		}
		wg.Wait()
		check(counter == each*1000, "mutex")
	})
}

func skynetNode(out chan<- int, num, size int) {
	if size == 1 {
		out <- num
		return
	}
	in := make(chan int, 10)
	for i := 0; i < 10; i++ {
		go skynetNode(in, num+i*(size/10), size/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-in
	}
	out <- sum
}

func skynet() {
	run := func(size int) time.Duration {
		start := time.Now()
		out := make(chan int, 1)
		go skynetNode(out, 0, size)
		check(<-out == size*(size-1)/2, "skynet")
		return time.Since(start)
	}
	run(10_000)
	size := 1_000_000
	if scale < 1 {
		size = 10_000
	}
	put("skynet", run(size).Seconds()*1e3, "ms")
}

func selects() {
	perOp("select", 2_000_000, func(n int) {
		a, b := make(chan int, 1), make(chan int, 1)
		each := max1(n / 2)
		for _, c := range []chan int{a, b} {
			go func(c chan int) {
				for i := 0; i < each; i++ {
					c <- 1
				}
			}(c)
		}
		sum := 0
		for i := 0; i < 2*each; i++ {
			select {
			case v := <-a:
				sum += v
			case v := <-b:
				sum += v
			}
		}
		check(sum == 2*each, "select")
	})
}
