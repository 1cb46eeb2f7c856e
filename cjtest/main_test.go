package cjtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const clickID = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"

// base is a valid order of two lines with every discount, 156.97 in total.
var base = []string{
	"CID=1234567", "TYPE=398210", "METHOD=S2S", "CJEVENT=" + clickID, "EVENTTIME=2024-01-15T18:08:36.089Z",
	"OID=ORD-2024-001234", "CURRENCY=USD", "COUPON=SAVE20",
	"ITEM1=SKU-BLK-LG", "AMT1=74.99", "QTY1=2", "DCNT1=5.00",
	"ITEM2=SKU-WHT-SM", "AMT2=21.99", "QTY2=1", "DCNT2=0.00",
	"DISCOUNT=10.00", "CUST_STATUS=New",
}

// query writes base with changes: "-NAME" leaves a parameter out, "NAME=value" sets or adds one, "&raw" adds
// raw text.
func query(changes ...string) string {
	params, raw := slices.Clone(base), ""
	for _, change := range changes {
		if strings.HasPrefix(change, "&") {
			raw += change
			continue
		}
		name, _, set := strings.Cut(strings.TrimPrefix(change, "-"), "=")
		at := slices.IndexFunc(params, func(p string) bool { return strings.HasPrefix(p, name+"=") })
		switch {
		case !set:
			params = slices.Delete(params, at, at+1)
		case at >= 0:
			params[at] = change
		default:
			params = append(params, change)
		}
	}
	for i, param := range params {
		name, value, _ := strings.Cut(param, "=")
		params[i] = url.QueryEscape(name) + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
	}
	return strings.Join(params, "&") + raw
}

func orderQuery(id string) string { return query("OID=" + id) }

// bundle is a running fake CJ with a client that opens a connection for each request.
type bundle struct {
	t      *testing.T
	cj     *Server
	client *http.Client
}

func setup(t *testing.T, opts ...Option) bundle {
	t.Helper()
	cj, err := Start(opts...)
	require.NoError(t, err)
	t.Cleanup(cj.Close)
	return bundle{t: t, cj: cj, client: newClient(t, nil)}
}

func newClient(t *testing.T, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type reply struct {
	status int
	header http.Header
	body   string
}

// try sends a request and reads the whole answer.
func (b bundle) try(ctx context.Context, method, target, body string) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	require.NoError(b.t, err)
	response, err := b.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	return reply{status: response.StatusCode, header: response.Header, body: string(got)}, err
}

func (b bundle) postback(query string) reply {
	b.t.Helper()
	got, err := b.try(b.t.Context(), http.MethodGet, b.cj.Endpoint()+"?"+query, "")
	require.NoError(b.t, err)
	return got
}

func (b bundle) get(path string) reply {
	b.t.Helper()
	got, err := b.try(b.t.Context(), http.MethodGet, b.cj.URL()+path, "")
	require.NoError(b.t, err)
	return got
}

func (b bundle) post(path, body string) reply {
	b.t.Helper()
	got, err := b.try(b.t.Context(), http.MethodPost, b.cj.URL()+path, body)
	require.NoError(b.t, err)
	return got
}

func (b bundle) script(text string) {
	b.t.Helper()
	rules, err := ParseScript(text)
	require.NoError(b.t, err)
	b.cj.Script(rules...)
}

func (b bundle) only() Received {
	b.t.Helper()
	received := b.cj.Received()
	require.Len(b.t, received, 1)
	return received[0]
}

// clock is a time that tests move. Not for concurrent moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }
