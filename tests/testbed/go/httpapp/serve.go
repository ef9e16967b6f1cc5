package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"time"
)

// How long requests in flight may take after SIGTERM; below the grace period that a Pod has by default.
const drain = 10 * time.Second

// What a caller learns about who answered and what arrived there. XFCC is set
// by the server's own sidecar: its presence proves mutual TLS.
type answer struct {
	Version string            `json:"version"`
	Host    string            `json:"host"`
	Path    string            `json:"path"`
	Peer    string            `json:"peer"`
	XFCC    string            `json:"xfcc,omitempty"`
	Headers map[string]string `json:"headers"`
}

func serve(ctx context.Context, arguments []string) error {
	address := ":8080"
	if len(arguments) > 0 {
		address = arguments[0]
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", say)
	mux.HandleFunc("/fail", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "asked to fail", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(3 * time.Second)
		say(w, r)
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return untilSignal(ctx, server)
}

func untilSignal(ctx context.Context, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := server.Shutdown(limited); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close()
}

func say(w http.ResponseWriter, r *http.Request) {
	host, _ := os.Hostname()
	seen := answer{
		Version: os.Getenv("VERSION"),
		Host:    host,
		Path:    r.URL.RequestURI(),
		Peer:    r.RemoteAddr,
		XFCC:    r.Header.Get("X-Forwarded-Client-Cert"),
		Headers: map[string]string{"Host": r.Host},
	}
	for name := range r.Header {
		seen.Headers[name] = r.Header.Get(name)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Version", seen.Version)
	_ = json.NewEncoder(w).Encode(seen)
}
