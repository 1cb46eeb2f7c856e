package edge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/capture"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/schema"
)

// captureOf makes the capture of a configuration, which nobody runs.
func captureOf(t *testing.T, change func(*config.Capture)) *capture.Capture {
	t.Helper()
	cfg := settings(t, []string{"127.0.0.1:1"})
	change(&cfg.Capture)
	clicks, err := NewCapture(cfg, discard, time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, clicks.Close()) })
	return clicks
}

// landing is a request with a click and these cookies.
func landing(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://www.example.com/?cjevent="+click, nil)
	for _, cookie := range cookies {
		r.AddCookie(cookie)
	}
	return r
}

var visit = &http.Cookie{Name: "sid", Value: "s-1"}

// Each setting does what it says: a name that is not passed on would be no error anywhere.
func TestSettingsReachTheCapture(t *testing.T) {
	t.Parallel()

	t.Run("Consent", func(t *testing.T) {
		t.Parallel()
		clicks := captureOf(t, func(c *config.Capture) {
			c.ConsentCookie, c.ConsentHeader, c.ConsentPattern = "agreed", "X-Agreed", "^yes$"
		})
		require.False(t, clicks.Catch(landing(visit), http.Header{}).Clicked)
		require.False(t, clicks.Catch(landing(visit, &http.Cookie{Name: "agreed", Value: "no"}), http.Header{}).Clicked)
		require.True(t, clicks.Catch(landing(visit, &http.Cookie{Name: "agreed", Value: "yes"}), http.Header{}).Clicked)
		r := landing(visit)
		r.Header.Set("X-Agreed", "yes")
		require.True(t, clicks.Catch(r, http.Header{}).Clicked)
	})

	t.Run("SessionHeader", func(t *testing.T) {
		t.Parallel()
		clicks := captureOf(t, func(c *config.Capture) { c.SessionHeader = "X-Customer" })
		require.Equal(t, 2, clicks.Catch(landing(visit), http.Header{"X-Customer": {"c-7"}}).Bound)
	})

	t.Run("ClientRate", func(t *testing.T) {
		t.Parallel()
		clicks := captureOf(t, func(c *config.Capture) { c.ClientRate, c.ClientBurst = 1e-9, 2 })
		for range 2 {
			require.NoError(t, clicks.Catch(landing(), http.Header{}).Err)
		}
		require.ErrorContains(t, clicks.Catch(landing(), http.Header{}).Err, "client_rate")
	})

	t.Run("Secrets", func(t *testing.T) {
		t.Parallel()
		before := captureOf(t, func(c *config.Capture) { c.Secret = "0123456789abcdef-old" })
		header := http.Header{}
		require.Equal(t, 1, before.Catch(landing(visit), header).Bound)
		kept := append((&http.Response{Header: header}).Cookies(), visit)
		again := func(secret, previous config.Secret) (bound, cookies int) {
			header := http.Header{}
			clicks := captureOf(t, func(c *config.Capture) { c.Secret, c.PreviousSecret = secret, previous })
			return clicks.Catch(landing(kept...), header).Bound, len(header["Set-Cookie"])
		}
		bound, cookies := again("0123456789abcdef-old", "0123456789abcdef-new")
		require.Zero(t, bound)
		require.Equal(t, 1, cookies, "CJ's own: the companion is signed as it should be")
		bound, cookies = again("0123456789abcdef-new", "0123456789abcdef-old")
		require.Zero(t, bound, "the previous secret is accepted")
		require.Equal(t, 2, cookies, "and the companion signed anew")
		bound, _ = again("0123456789abcdef-new", "")
		require.Equal(t, 1, bound, "it is not known any more")
	})

	t.Run("Durable", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			caught := captureOf(t, func(c *config.Capture) { c.Durable = true }).Catch(landing(visit), http.Header{})
			require.Zero(t, caught.Bound, "nobody writes to the disk")
			require.ErrorContains(t, caught.Err, "durable_wait")
		})
	})

	t.Run("Drain", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			cfg := settings(t, []string{"127.0.0.1:1"})
			clicks, err := NewCapture(cfg, discard, 17*time.Second)
			require.NoError(t, err)
			require.NoError(t, clicks.Catch(landing(visit), http.Header{}).Err)
			ctx, stop := context.WithCancel(t.Context())
			stop()
			began := time.Now()
			require.NoError(t, clicks.Run(ctx))
			require.Equal(t, 17*time.Second, time.Since(began).Truncate(time.Second))
		})
	})

	t.Run("Partitioner", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.NotFoundHandler(), func(c *config.Config) { c.Clicks.Partitioner = schema.PartitionerCRC32 })
		names := []string{"s-1", "s-2", "s-3", "s-4", "s-5", "s-6"}
		for _, name := range names {
			s.ask(t, http.MethodGet, "/?cjevent="+click, "Cookie: sid="+name)
		}
		s.clicks(t, len(names))
		partitioner, err := schema.NewPartitioner(schema.PartitionerCRC32)
		require.NoError(t, err)
		for _, record := range s.kafka.Read(t, s.config.Clicks.Topic) {
			require.Equal(t, partitioner(record.Key, 3), int(record.Partition), string(record.Key))
		}
	})
}
