package edge

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cjrelay/cjrelay/internal/config"
)

// asChild makes this test program an edge and nothing else, so that tests can kill it.
const asChild = "EDGE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		os.Exit(runChild())
	}
	goleak.VerifyTestMain(m)
}

// runChild is an edge configured by the environment, until it is killed.
func runChild() int {
	cfg, err := config.Load("", os.Environ())
	if err == nil {
		err = cfg.Validate(config.ForCapture)
	}
	var child *Edge
	if err == nil {
		child, err = New(cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	if err == nil {
		err = child.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, "the edge ended by itself:", err)
	return 1
}

var discard = slog.New(slog.DiscardHandler)

func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestStop(t *testing.T) {
	t.Parallel()

	t.Run("LetsARequestEndAndKeepsItsClick", func(t *testing.T) {
		t.Parallel()
		arrived, leave := make(chan struct{}), make(chan struct{})
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			<-leave
			_, _ = io.WriteString(w, "page")
		}))
		pages := make(chan string, 1)
		go func() {
			_, body := s.ask(t, http.MethodGet, "/?cjevent="+click, "Cookie: sid=s-1")
			pages <- body
		}()
		<-arrived
		s.stop()
		await(t, "the port is closed", func() bool {
			_, err := shopper(t).Get(s.url("/"))
			return err != nil
		})
		status, _ := s.admin(t, http.MethodGet, "/livez", "", "")
		require.Equal(t, http.StatusOK, status, "the admin port shows how it goes")
		ready, said := s.admin(t, http.MethodGet, "/readyz", "", "")
		close(leave)
		require.Equal(t, http.StatusServiceUnavailable, ready, "no load balancer must send shoppers to a port that is closed")
		require.Contains(t, said, "stopping: no more requests are taken")
		require.Equal(t, "page", <-pages)
		s.halt(t)
		require.Contains(t, s.clicks(t, 1)["s-1"], click)
	})

	t.Run("CutsRequestsThatDoNotEnd", func(t *testing.T) {
		t.Parallel()
		arrived := make(chan struct{})
		s := open(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
		}), func(c *config.Config) { c.Delivery.ShutdownGrace = 300 * time.Millisecond })
		failed := make(chan error, 1)
		go func() {
			response, err := shopper(t).Get(s.url("/"))
			if err == nil {
				_, err = io.ReadAll(response.Body)
				_ = response.Body.Close()
			}
			failed <- err
		}()
		<-arrived
		s.halt(t)
		require.Error(t, <-failed)
		require.Contains(t, s.log.String(), "requests were cut off")
	})

	t.Run("CutsWebsockets", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.HandlerFunc(echoProtocol))
		_, answers := upgrade(t, s, "/socket")
		s.halt(t)
		_, err := answers.ReadByte()
		require.Error(t, err)
	})

	t.Run("KeepsClicksThatKafkaDidNotTake", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.NotFoundHandler(), func(c *config.Config) {
			c.Delivery.ShutdownGrace = 300 * time.Millisecond
		})
		brokers := s.config.Kafka.Brokers
		s.halt(t)
		s.config.Kafka.Brokers = []string{nobody(t)}
		s.start(t)
		response, _ := s.ask(t, http.MethodGet, "/?cjevent="+click, "Cookie: sid=s-1")
		require.Equal(t, http.StatusNotFound, response.StatusCode)
		require.Equal(t, click, cookieOf(t, response, "cje").Value)
		s.halt(t)
		s.config.Kafka.Brokers = brokers
		s.start(t)
		require.Contains(t, s.clicks(t, 1)["s-1"], click)
	})
}

func TestServesWithoutKafka(t *testing.T) {
	t.Parallel()
	s := open(t, http.NotFoundHandler(), func(c *config.Config) {
		c.Kafka.Brokers = []string{nobody(t)}
		c.Delivery.ShutdownGrace = 300 * time.Millisecond
	})
	await(t, "readiness shows that Kafka is away before any click comes", func() bool {
		_, text := s.admin(t, http.MethodGet, "/readyz?verbose", "", "")
		return strings.Contains(text, "[!] kafka: no broker answers")
	})
	response, _ := s.ask(t, http.MethodGet, "/?cjevent="+click, "Cookie: sid=s-1")
	require.Equal(t, click, cookieOf(t, response, "cje").Value)
	status, _ := s.admin(t, http.MethodGet, "/livez", "", "")
	require.Equal(t, http.StatusOK, status)
	status, _ = s.admin(t, http.MethodGet, "/readyz", "", "")
	require.Equal(t, http.StatusOK, status, "an edge that is taken out because of Kafka takes the shop down")
	await(t, "the click waits", func() bool {
		return s.metric(t, "cjrelay_capture_spooled_total") == "1" && s.metric(t, "cjrelay_capture_waiting") == "1"
	})
}
