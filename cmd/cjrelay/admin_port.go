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

	"github.com/cjrelay/cjrelay/internal/config"
)

// errNoProcess: nothing takes connections at admin.listen.
var errNoProcess = errors.New("no process runs")

// adminPatience is longer than the console waits for anything.
const adminPatience = 15 * time.Second

// adminPort is where a process can be asked, and with what.
type adminPort struct {
	// key is the configuration's key that the address is from, for errors.
	key, address string
	token        config.Secret
}

// do sends one request. The caller closes the answer's body. No error shows the query or the body.
func (p adminPort) do(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	address := url.URL{Scheme: "http", Host: dialable(p.address), Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, address.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %q cannot be asked: use host:port", p.key, p.address)
	}
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+p.token.Reveal())
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	// No proxy: it would get the token and what is asked for.
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	var connecting *net.OpError
	switch {
	case errors.As(err, &connecting) && connecting.Op == "dial":
		return nil, fmt.Errorf("%w at %s %s (%w)", errNoProcess, p.key, p.address, err)
	case err != nil:
		return nil, fmt.Errorf("asking the process at %s: %w", p.address, err)
	}
	return response, nil
}

// getAdmin asks the process at admin.listen.
func getAdmin(ctx context.Context, admin config.Admin, path string, query url.Values) (*http.Response, error) {
	return adminPort{"admin.listen", admin.Listen, admin.Token}.do(ctx, http.MethodGet, path, query, nil)
}

// askAdmin asks the admin port of a process for JSON.
func askAdmin(ctx context.Context, admin config.Admin, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, adminPatience)
	defer cancel()
	response, err := getAdmin(ctx, admin, path, query)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body := io.LimitReader(response.Body, 16<<20)
	switch response.StatusCode {
	case http.StatusOK:
		if err := json.NewDecoder(body).Decode(into); err != nil {
			return fmt.Errorf("what answers at %s is not a cjrelay: %w", admin.Listen, err)
		}
		return nil
	case http.StatusUnauthorized:
		return fmt.Errorf("the process at %s refuses our admin token: set admin.token to the one that it runs with", admin.Listen)
	case http.StatusNotFound:
		return fmt.Errorf("what answers at %s is not `cjrelay run`, or an older one", admin.Listen)
	}
	said, _ := io.ReadAll(io.LimitReader(body, 4<<10))
	return fmt.Errorf("the process at %s answers with status %d: %s", admin.Listen, response.StatusCode, strings.TrimSpace(string(said)))
}
