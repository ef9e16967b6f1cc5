// A workload small enough to read in one go: a server that says who answered
// and what it saw, and a client that tallies answers. Demo and tests use both.
//
//	httpapp serve [ADDRESS]                  answer every path; /fail is a 503, /slow takes three seconds
//	httpapp get [flags] URL...               one request, or a tally of many (see "httpapp get -help")
//	httpapp pause                            wait for a signal
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

var commands = map[string]func(context.Context, []string) error{
	"serve": serve,
	"get":   get,
	"pause": func(ctx context.Context, _ []string) error { <-ctx.Done(); return nil },
}

func main() {
	name, arguments := "serve", []string{}
	if len(os.Args) > 1 {
		name, arguments = os.Args[1], os.Args[2:]
	}
	command, known := commands[name]
	if !known {
		fmt.Fprintf(os.Stderr, "httpapp: unknown command %q: one of serve, get, pause\n", name)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := command(ctx, arguments); err != nil {
		fmt.Fprintln(os.Stderr, "httpapp:", err)
		os.Exit(1)
	}
}
