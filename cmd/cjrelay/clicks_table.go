package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
)

// errNoProcess: nothing takes connections at admin.listen.
var errNoProcess = errors.New("no process runs")

// askTable asks the process at admin.listen for what its click table knows. No error shows the session or a click:
// both are in the address or the body only.
func askTable(ctx context.Context, admin config.Admin, session string, at time.Time) (console.SessionClicks, error) {
	query := url.Values{"session": {session}, "at": {at.Format(time.RFC3339Nano)}}
	address := url.URL{Scheme: "http", Host: dialable(admin.Listen), Path: "/clicks", RawQuery: query.Encode()}
	// The console waits for its table for 5 s.
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return console.SessionClicks{}, fmt.Errorf("admin.listen %q cannot be asked: use host:port", admin.Listen)
	}
	if admin.Token != "" {
		request.Header.Set("Authorization", "Bearer "+admin.Token.Reveal())
	}
	// No proxy: it would get the token and the session.
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	var connecting *net.OpError
	switch {
	case errors.As(err, &connecting) && connecting.Op == "dial":
		return console.SessionClicks{}, fmt.Errorf("%w at admin.listen %s (%w)", errNoProcess, admin.Listen, err)
	case err != nil:
		return console.SessionClicks{}, fmt.Errorf("asking the process at %s: %w", admin.Listen, err)
	}
	defer response.Body.Close()
	return readTable(response, admin.Listen)
}

// readTable reads the answer of a process, and makes an error of any that is none.
func readTable(response *http.Response, listen string) (found console.SessionClicks, err error) {
	body := io.LimitReader(response.Body, 16<<20)
	switch response.StatusCode {
	case http.StatusOK:
		if err := json.NewDecoder(body).Decode(&found); err != nil || found.Verdict.Outcome == "" {
			return console.SessionClicks{}, fmt.Errorf("what answers at %s is not a cjrelay that knows clicks", listen)
		}
		return found, nil
	case http.StatusUnauthorized:
		return found, fmt.Errorf("the process at %s refuses our admin token: set admin.token to the one that it runs with", listen)
	case http.StatusNotFound:
		return found, fmt.Errorf("what answers at %s has no click table: it is not `cjrelay run`, or an older one", listen)
	case http.StatusMisdirectedRequest, http.StatusServiceUnavailable, http.StatusBadRequest, http.StatusInternalServerError:
		text, err := io.ReadAll(io.LimitReader(body, 4<<10))
		if err != nil {
			return found, fmt.Errorf("asking the process at %s: %w", listen, err)
		}
		said := strings.TrimSpace(string(text))
		if response.StatusCode == http.StatusMisdirectedRequest {
			return found, elsewhereError{fmt.Sprintf("the process at %s says: %s", listen, said)}
		}
		return found, fmt.Errorf("the process at %s cannot tell: %s", listen, said)
	}
	return found, fmt.Errorf("the process at %s answers with status %d", listen, response.StatusCode)
}

// elsewhereError is console.ErrElsewhere in the process's own words, which have that in them already.
type elsewhereError struct{ message string }

func (e elsewhereError) Error() string { return e.message }
func (e elsewhereError) Unwrap() error { return console.ErrElsewhere }

// dialable is where a process that listens there can be reached from this machine.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	switch ip := net.ParseIP(host); {
	case host == "", ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
