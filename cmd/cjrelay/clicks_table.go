package main

import (
	"context"
	"encoding/json"
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

// askTable asks the process at admin.listen for what its click table knows. No error shows the session or a click:
// both are in the address or the body only.
func askTable(ctx context.Context, admin config.Admin, session string, at time.Time) (console.SessionClicks, error) {
	ctx, cancel := context.WithTimeout(ctx, adminPatience)
	defer cancel()
	response, err := getAdmin(ctx, admin, "/clicks", url.Values{"session": {session}, "at": {at.Format(time.RFC3339Nano)}})
	if err != nil {
		return console.SessionClicks{}, err
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
