// The benchmark rows on Go's runtime. One run measures one row; what one operation is stands in the heads of ../../src/*_rows.rs.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"time"
)

var (
	workers = 2
	scale   = 1.0
	base    = time.Now()
)

func now() int64 { return int64(time.Since(base)) }

func scaled(n int) int { return max1(int(float64(n) * scale)) }

func max1(n int) int {
	if n < 1 {
		return 1
	}
	return n
}

func put(row string, value float64, unit string) { fmt.Printf("%s %.6g %s\n", row, value, unit) }

func check(ok bool, what string) {
	if !ok {
		fmt.Fprintln(os.Stderr, "wrong result:", what)
		os.Exit(1)
	}
}

// perOp warms up with a tenth, then prints nanoseconds per operation over n operations.
func perOp(row string, n int, f func(n int)) {
	n = scaled(n)
	f(max1(n / 10))
	start := time.Now()
	f(n)
	put(row, float64(time.Since(start))/float64(n), "ns")
}

func quantiles(row string, v []float64, unit string) {
	sort.Float64s(v)
	put(row+".p50", v[len(v)/2], unit)
	put(row+".p99", v[len(v)*99/100], unit)
}

type row struct {
	name string
	run  func()
}

func main() {
	rows := []row{
		{"c_call", cCall}, {"c_callback", cCallback}, {"c_call_callback", cCallCallback},
		{"c_par_callback", cParCallback}, {"c_thread_callback", cThreadCallback}, {"c_thread_first", cThreadFirst},
		{"seed", seed}, {"yield1", yields("yield1", 1)}, {"yield1000", yields("yield1000", 1000)},
		{"spawn_join", spawnJoin}, {"pingpong", pingPong}, {"pingpong_callback", pingPongCallback},
		{"mpmc", mpmc}, {"mutex", mutex}, {"skynet", skynet}, {"select", selects},
		{"blocking_progress", blockingProgress}, {"handoff", handoff},
		{"handoff_once", handoffOnce}, {"blocked_callbacks", blockedCallbacks},
		{"sleepers", sleepers}, {"parked_mem", parkedMem}, {"echo", echo}, {"idle", idle},
		{"first_spawn", firstSpawn},
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: PROG ROW [--workers N] [--scale F]   (PROG list: the rows)")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "list":
		for _, r := range rows {
			fmt.Println(r.name)
		}
		return
	case "first_spawn_child":
		firstSpawnChild()
		return
	}
	flags := flag.NewFlagSet("peer", flag.ExitOnError)
	flags.IntVar(&workers, "workers", runtime.NumCPU(), "")
	flags.Float64Var(&scale, "scale", 1, "")
	flags.Parse(os.Args[2:])
	runtime.GOMAXPROCS(workers)
	for _, r := range rows {
		if r.name == os.Args[1] {
			done := make(chan struct{}) // the row runs in an ordinary goroutine, not in the main one
			go func() { r.run(); close(done) }()
			<-done
			return
		}
	}
	fmt.Fprintln(os.Stderr, "unknown row", os.Args[1])
	os.Exit(2)
}
