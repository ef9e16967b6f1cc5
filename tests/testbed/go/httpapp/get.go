package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"time"
)

type request struct {
	urls    []string // asked in turn
	host    string
	headers http.Header
	count   int
	timeout time.Duration
	pause   time.Duration
	reuse   bool
	json    bool
}

// What came back, as the tests read it with -json.
type report struct {
	Count    int            `json:"count"`
	Statuses map[string]int `json:"statuses"` // "200" -> how many
	Versions map[string]int `json:"versions"` // X-Version of the answers -> how many
	Errors   map[string]int `json:"errors"`   // connection errors
	Server   string         `json:"server"`   // of the last answer, as is the body
	Body     string         `json:"body"`
	Refusal  string         `json:"refusal"` // body of the last answer of 400 or more
	tally    map[string]int
}

func get(ctx context.Context, arguments []string) error {
	wanted, err := parse(arguments)
	if err != nil {
		return err
	}
	result := ask(ctx, wanted)
	show(wanted, result)
	if len(result.Errors) > 0 {
		return fmt.Errorf("%d of %d requests got no answer", sum(result.Errors), wanted.count)
	}
	return nil
}

func parse(arguments []string) (request, error) {
	wanted := request{headers: http.Header{}}
	flags := flag.NewFlagSet("get", flag.ExitOnError)
	flags.IntVar(&wanted.count, "n", 1, "how many requests")
	flags.StringVar(&wanted.host, "host", "", "Host header to send")
	flags.DurationVar(&wanted.timeout, "t", 5*time.Second, "time limit of a request")
	flags.DurationVar(&wanted.pause, "p", 0, "pause after each request")
	flags.BoolVar(&wanted.reuse, "k", false, "reuse connections")
	flags.BoolVar(&wanted.json, "json", false, "print one JSON object")
	flags.Func("H", "header to send, as name:value; may be given again", func(text string) error {
		name, value, found := strings.Cut(text, ":")
		if !found {
			return fmt.Errorf("%q is not name:value", text)
		}
		wanted.headers.Add(name, strings.TrimSpace(value))
		return nil
	})
	if err := flags.Parse(arguments); err != nil {
		return wanted, err
	}
	if flags.NArg() == 0 {
		return wanted, errors.New("get takes one or more URLs")
	}
	wanted.urls = flags.Args()
	return wanted, nil
}

func ask(ctx context.Context, wanted request) report {
	result := report{
		Count: wanted.count, Statuses: map[string]int{}, Versions: map[string]int{}, Errors: map[string]int{},
		tally: map[string]int{},
	}
	// Certificates are not checked: what is asked is who answers, not whether a test's certificate is known.
	client := &http.Client{
		Timeout: wanted.timeout,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: !wanted.reuse,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for number := range wanted.count {
		url := wanted.urls[number%len(wanted.urls)]
		if err := once(ctx, client, url, wanted, &result); err != nil {
			result.Errors[err.Error()]++
			result.tally["error: "+err.Error()]++
		}
		time.Sleep(wanted.pause)
	}
	return result
}

func once(ctx context.Context, client *http.Client, url string, wanted request, result *report) error {
	message, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	message.Header, message.Host = wanted.headers.Clone(), wanted.host
	response, err := client.Do(message)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	result.Body, result.Server = strings.TrimSpace(string(body)), response.Header.Get("Server")
	if response.StatusCode >= http.StatusBadRequest {
		result.Refusal = fmt.Sprint(url, ": ", result.Body)
	}
	result.Statuses[fmt.Sprint(response.StatusCode)]++
	result.Versions[response.Header.Get("X-Version")]++
	result.tally[fmt.Sprint(response.StatusCode, " ", response.Header.Get("X-Version"))]++
	return nil
}

func show(wanted request, result report) {
	if wanted.json {
		text, _ := json.Marshal(result)
		fmt.Println(string(text))
		return
	}
	lines := make([]string, 0, len(result.tally))
	for line := range result.tally {
		lines = append(lines, line)
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Println(result.tally[line], line)
	}
	if wanted.count == 1 && result.Body != "" {
		fmt.Println(result.Body)
	}
}

func sum(counts map[string]int) int {
	total := 0
	for _, count := range counts {
		total += count
	}
	return total
}
