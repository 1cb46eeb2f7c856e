package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// longest bounds every wait. It says nothing about speed: a wait ends when what it waits for is there.
const longest = time.Minute

// token opens the admin port of the tests' edges.
const token = "0123456789abcdef-admin"

// A click id as CJ makes them, and another one.
const (
	click  = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
	click2 = "00f2a9d4c1e836b0f92d4a1c5e7b8a40"
)

// site is a shop with an edge in front of it, and a Kafka behind that.
type site struct {
	kafka  *kafkatest.Cluster
	config config.Config
	log    *logText
	edge   *Edge
	// stop ends Run; ended is closed then, and err is what it returned.
	stop  context.CancelFunc
	ended chan struct{}
	err   error
}

// open starts a site. The shop's handler may be nil for an edge that is an endpoint.
func open(t *testing.T, shop http.Handler, changes ...func(*config.Config)) *site {
	t.Helper()
	s := &site{kafka: kafkatest.Start(t), log: &logText{}, ended: make(chan struct{})}
	s.config = settings(t, s.kafka.Brokers)
	s.config.Clicks.Topic = s.kafka.Topic(t, "cjevent", 3, map[string]string{"cleanup.policy": "compact,delete"})
	if shop != nil {
		upstream := httptest.NewServer(shop)
		t.Cleanup(upstream.Close)
		s.config.Capture.Upstream = upstream.URL
	}
	for _, change := range changes {
		change(&s.config)
	}
	s.start(t)
	return s
}

// settings are those of an edge on free ports.
func settings(t *testing.T, brokers []string) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.Kafka.Brokers = brokers
	cfg.Clicks.Format = config.JSON
	cfg.Admin.Token = token
	cfg.Capture.Listen, cfg.Capture.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Capture.SpoolDir = t.TempDir()
	cfg.Capture.SessionCookie = "sid"
	return cfg
}

// start runs the edge. It is called by open, and again after halt.
func (s *site) start(t *testing.T) {
	t.Helper()
	var err error
	s.edge, err = New(s.config, slog.New(slog.NewTextHandler(s.log, nil)))
	require.NoError(t, err)
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		s.err = s.edge.Run(ctx)
	}()
	t.Cleanup(func() {
		s.halt(t)
		if t.Failed() {
			t.Logf("log of the edge:\n%s", s.log)
		}
	})
}

// halt stops the edge and waits until it has.
func (s *site) halt(t *testing.T) {
	t.Helper()
	s.stop()
	select {
	case <-s.ended:
		require.NoError(t, s.err)
	case <-time.After(longest):
		require.FailNow(t, "the edge does not stop")
	}
}

// url is an address of the shop as a shopper asks for it, of the edge itself.
func (s *site) url(path string) string {
	scheme := "http"
	if s.config.Capture.TLS.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + s.edge.Addr() + path
}

// shopper is a browser of its own that does not follow redirects.
func shopper(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask makes a request with header lines "Name: value" and returns the answer with its body read.
func (s *site) ask(t *testing.T, method, path string, lines ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url(path), nil)
	require.NoError(t, err)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
		if name == "Host" {
			request.Host = value
		}
	}
	return do(t, shopper(t), request)
}

func do(t *testing.T, client *http.Client, request *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

// admin asks the admin port.
func (s *site) admin(t *testing.T, method, path, authorization, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.edge.AdminAddr()+path, strings.NewReader(body))
	require.NoError(t, err)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, text := do(t, shopper(t), request)
	return response.StatusCode, text
}

// metric is the value of a series, as /metrics shows it.
func (s *site) metric(t *testing.T, series string) string {
	t.Helper()
	status, text := s.admin(t, http.MethodGet, "/metrics", "", "")
	require.Equal(t, http.StatusOK, status)
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return strings.TrimSpace(value)
		}
	}
	require.FailNow(t, "no series", series)
	return ""
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, longest, 5*time.Millisecond, what)
}

// clicks are the values in the click topic by session, the last of each, once there are as many as awaited.
func (s *site) clicks(t *testing.T, awaited int) map[string]string {
	t.Helper()
	var records []*kgo.Record
	await(t, fmt.Sprintf("%d clicks are in the topic", awaited), func() bool {
		records = s.kafka.Read(t, s.config.Clicks.Topic)
		return len(records) >= awaited
	})
	require.Len(t, records, awaited)
	last := map[string]string{}
	for _, record := range records {
		last[string(record.Key)] = string(record.Value)
	}
	return last
}

// cookieOf is a cookie that a response sets, which must be there.
func cookieOf(t *testing.T, response *http.Response, name string) *http.Cookie {
	t.Helper()
	for _, cookie := range response.Cookies() {
		if cookie.Name == name {
			return cookie
		}
	}
	require.FailNow(t, "the response does not set the cookie", "%s of %v", name, response.Header)
	return nil
}

// logText is a log that may be read while it is written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
