package console

import (
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	t.Run("AtOnceWhenNothingIsInFlight", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", nil)
			b.ask(t, "GET", "/livez", "") // leaves an idle connection
			synctest.Wait()
			start := time.Now()
			b.stop()
			<-b.served
			require.NoError(t, b.err)
			require.Zero(t, time.Since(start))
			_, err := b.client.Get("http://admin/livez")
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		})
	})
	t.Run("AfterRequestsInFlight", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Ready = func() []Check {
					time.Sleep(grace / 2)
					return nil
				}
			})
			bodies := make(chan string, 1)
			go func() {
				_, body := b.ask(t, "GET", "/readyz", "")
				bodies <- body
			}()
			synctest.Wait()
			b.stop()
			<-b.served
			require.NoError(t, b.err)
			require.Equal(t, "ready\n", <-bodies)
		})
	})
	t.Run("WithinASecondWhateverClientsDo", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", nil)
			var cutOff []<-chan struct{}
			for _, begin := range []string{"", "GET /live", "GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n"} {
				conn, closed, err := b.pipes.open()
				require.NoError(t, err)
				defer conn.Close()
				if begin != "" {
					_, err = io.WriteString(conn, begin)
					require.NoError(t, err)
				}
				cutOff = append(cutOff, closed)
			}
			synctest.Wait()
			start := time.Now()
			b.stop()
			<-b.served
			require.NoError(t, b.err)
			require.LessOrEqual(t, time.Since(start), grace)
			for _, closed := range cutOff {
				<-closed
			}
			require.LessOrEqual(t, time.Since(start), grace, "connections stayed open")
		})
	})
	t.Run("WhenItWasOverBefore", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			pipes := newPipes("127.0.0.1")
			require.NoError(t, newServer(Config{Metrics: prometheus.NewRegistry()}, pipes).Serve(ctx))
			_, err := pipes.dial(t.Context(), "", "")
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		})
	})
	t.Run("WithAnErrorWhenThePortBreaks", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", nil)
			require.NoError(t, b.pipes.Close())
			<-b.served
			require.ErrorIs(t, b.err, net.ErrClosed)
			require.ErrorContains(t, b.err, "admin port 127.0.0.1:9644")
		})
	})
}

func TestListen(t *testing.T) {
	t.Parallel()
	t.Run("ServesOnItsAddress", func(t *testing.T) {
		t.Parallel()
		server, err := Listen(Config{Listen: "127.0.0.1:0", Metrics: prometheus.NewRegistry()})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- server.Serve(ctx) }()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Get("http://" + server.Addr() + "/livez")
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, "ok\n", string(body))
		cancel()
		require.NoError(t, <-served)
		again, err := net.Listen("tcp", server.Addr())
		require.NoError(t, err, "the port is free again")
		require.NoError(t, again.Close())
	})
	t.Run("NamesTheKeyWhenTheAddressIsInUse", func(t *testing.T) {
		t.Parallel()
		other, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer other.Close()
		_, err = Listen(Config{Listen: other.Addr().String(), Token: token, Metrics: prometheus.NewRegistry()})
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.ErrorContains(t, err, "admin.listen \""+other.Addr().String()+"\"")
		require.ErrorContains(t, err, "choose another address or stop what uses it")
		require.NotContains(t, err.Error(), token)
	})
	t.Run("NamesTheKeyWhenTheAddressIsNone", func(t *testing.T) {
		t.Parallel()
		_, err := Listen(Config{Listen: "127.0.0.1", Metrics: prometheus.NewRegistry()})
		require.ErrorContains(t, err, `admin.listen "127.0.0.1": `)
		require.ErrorContains(t, err, "use host:port")
	})
}
