// The HTTP server of Go's standard library, with the answer that the others give. The one argument is the address.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

const hello = "Hello, World!"

func main() {
	if workers, err := strconv.Atoi(os.Getenv("WORKERS")); err == nil {
		os.Setenv("GOMAXPROCS", strconv.Itoa(workers))
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(hello)))
		fmt.Fprint(w, hello)
	})}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		server.Shutdown(context.Background())
	}()
	server.Serve(listener)
}
