package capture

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

const (
	clickA = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
	clickB = "0123456789abcdef0123456789ABCDEF"
	secret = "0123456789abcdef-first"
	shop   = "https://www.example.com"
)

// bundle is an edge before a shop, with a shopper's browser. Nothing is listening: requests go to the handler.
type bundle struct {
	*Capture
	t       testing.TB
	config  Config
	log     *buffer
	handler http.HandlerFunc
	browser *browser
}

// setup makes an edge that keeps its clicks in the queue: Run is not called.
func setup(t testing.TB, change ...func(*Config)) *bundle {
	t.Helper()
	b := prepare(t, change...)
	var err error
	b.Capture, err = New(b.config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// setupOn makes one whose spool is in memory.
func setupOn(t testing.TB, files files, change ...func(*Config)) *bundle {
	t.Helper()
	b := prepare(t, change...)
	var err error
	b.Capture, err = open(b.config.WithDefaults(), files)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func prepare(t testing.TB, change ...func(*Config)) *bundle {
	t.Helper()
	b := &bundle{t: t, log: &buffer{}, handler: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a page")) }}
	encode, err := NewEncoder(schema.FormatJSON, "cjevent", nil)
	require.NoError(t, err)
	b.config = Config{
		Client: nowhere, Encode: encode, CookieDomain: "example.com", SessionCookie: "sid", Secrets: []string{secret},
		Drain: time.Millisecond, Spool: Spool{Dir: t.TempDir()}, Log: slog.New(slog.NewTextHandler(b.log, nil)),
	}
	for _, c := range change {
		c(&b.config)
	}
	b.browser = newBrowser(b)
	return b
}

// nowhere is no Kafka, whatever may run on this machine.
var nowhere = []kgo.Opt{
	kgo.SeedBrokers("127.0.0.1:1"),
	kgo.Dialer(func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no Kafka here") }),
}

// onKafka points an edge to a cluster.
func onKafka(cluster *kafkatest.Cluster, topic string) func(*Config) {
	return func(c *Config) { c.Client, c.Topic, c.Drain = cluster.Options(), topic, DrainDefault }
}

// start runs the edge; stop ends it and waits.
func (b *bundle) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			require.NoError(b.t, <-ended)
		})
	}
	b.t.Cleanup(stop)
	return stop
}

// queued are the records that wait for the disk, taken out.
func (b *bundle) queued() []record {
	b.t.Helper()
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	var records []record
	for _, e := range b.queue.group {
		r, ok := parseFrame(e.frame)
		require.True(b.t, ok)
		records = append(records, r)
		b.spool.taken.Add(-int64(len(e.frame)))
	}
	b.queue.group, b.queue.bytes = nil, 0
	return records
}

// sessions are the queued records' sessions.
func (b *bundle) queuedSessions() []string {
	var sessions []string
	for _, r := range b.queued() {
		sessions = append(sessions, r.session)
	}
	return sessions
}

// metric is a counter's or gauge's value; labels are in the name as text/plain has them.
func (b *bundle) metric(name string) float64 {
	b.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(b.t, registry.Register(b.Capture))
	families, err := registry.Gather()
	require.NoError(b.t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			full := family.GetName()
			for _, label := range m.GetLabel() {
				full += "{" + label.GetValue() + "}"
			}
			if full == "cjrelay_capture_"+name {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	require.Fail(b.t, "no such metric", name)
	return 0
}

// browser keeps cookies as browsers do, and sends them to the edge.
type browser struct {
	b    *bundle
	jar  *cookiejar.Jar
	from string
	// header is added to every request.
	header http.Header
}

func newBrowser(b *bundle) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(b.t, err)
	return &browser{b: b, jar: jar, from: "203.0.113.7:4711", header: http.Header{}}
}

// get asks for a path of the shop, or a whole address.
func (s *browser) get(address string) *http.Response {
	s.b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = shop + address
	}
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.RemoteAddr = s.from
	for name, values := range s.header {
		r.Header[name] = values
	}
	for _, cookie := range s.jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	s.b.Middleware(s.b.handler).ServeHTTP(w, r)
	response := w.Result()
	s.jar.SetCookies(r.URL, response.Cookies())
	return response
}

// has sets a cookie as the shop would, one of ours as another edge would.
func (s *browser) has(name, value string) {
	at, _ := url.Parse(shop)
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true}
	if IsOurCookie(name) {
		cookie.Domain = "example.com"
	}
	s.jar.SetCookies(at, []*http.Cookie{cookie})
}

// cookie is the value of a cookie that the browser keeps.
func (s *browser) cookie(name string) string {
	at, _ := url.Parse(shop)
	for _, cookie := range s.jar.Cookies(at) {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

// setCookie is a response's Set-Cookie of that name, nil when there is none.
func setCookie(response *http.Response, name string) *http.Cookie {
	for _, cookie := range response.Cookies() {
		if cookie.Name == name {
			return cookie
		}
	}
	return nil
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
