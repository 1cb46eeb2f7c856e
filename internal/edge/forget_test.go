package edge

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// verdict is what the click table of a relay that starts now says of a session.
func (s *site) verdict(t *testing.T, session string) sessions.Finding {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	cfg := s.config
	cfg.Kafka.Brokers = s.kafka.Brokers
	found, err := relay.TopicLook{Config: cfg, Log: discard, Patience: longest}.Look(ctx, session, time.Now().Add(time.Minute))
	require.NoError(t, err)
	return found
}

func (s *site) forget(t *testing.T, session string) {
	t.Helper()
	status, text := s.admin(t, http.MethodPost, "/sessions/forget", "Bearer "+token, `{"session":"`+session+`"}`)
	require.Equal(t, http.StatusNoContent, status, text)
}

func TestForgottenSessionsAreGoneFromTheTable(t *testing.T) {
	t.Parallel()

	t.Run("OfARunningEdge", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.NotFoundHandler())
		s.ask(t, http.MethodGet, "/?cjevent="+click, "Cookie: sid=s-1")
		s.ask(t, http.MethodGet, "/?cjevent="+click2, "Cookie: sid=s-2")
		s.clicks(t, 2)
		require.Equal(t, click, s.verdict(t, "s-1").Click.ID)
		s.forget(t, "s-1")
		s.clicks(t, 3)
		gone := s.verdict(t, "s-1")
		require.Empty(t, gone.Clicks)
		require.Equal(t, schema.ReasonClickErased, gone.Reason)
		require.Equal(t, click2, s.verdict(t, "s-2").Click.ID, "nobody else is forgotten")
		require.NotContains(t, s.log.String(), "s-1")
	})

	// Kafka is away when the shopper lands and when the session is forgotten: the older click must not come after.
	t.Run("WhoseClickStillWaitsForKafka", func(t *testing.T) {
		t.Parallel()
		away := &broker{address: nobody(t)}
		s := open(t, http.NotFoundHandler(), func(c *config.Config) { c.Kafka.Brokers = []string{away.address} })
		s.ask(t, http.MethodGet, "/?cjevent="+click, "Cookie: sid=s-1")
		s.forget(t, "s-1")
		require.Empty(t, s.kafka.Read(t, s.config.Clicks.Topic))
		away.comesBack(t, s.kafka.Brokers[0])
		s.clicks(t, 2)
		require.Equal(t, schema.ReasonClickErased, s.verdict(t, "s-1").Reason)
	})

	// The edge has stopped with the click in its spool, and somebody forgets without it.
	t.Run("WhoseClickWaitsInTheSpoolOfAnEdgeThatHasStopped", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.NotFoundHandler(), func(c *config.Config) {
			c.Kafka.Brokers = []string{nobody(t)}
			c.Delivery.ShutdownGrace = 300 * time.Millisecond
		})
		s.ask(t, http.MethodGet, "/?cjevent="+click, "Cookie: sid=s-1")
		s.halt(t)
		left, err := Forget(t.Context(), s.config, discard, "s-1", 50*time.Millisecond)
		require.NoError(t, err)
		require.Equal(t, 2, left, "Kafka is away: the click and the erasure wait")
		s.config.Kafka.Brokers = s.kafka.Brokers
		left, err = Forget(t.Context(), s.config, discard, "s-1", longest)
		require.NoError(t, err)
		require.Zero(t, left)
		s.clicks(t, 3)
		require.Equal(t, schema.ReasonClickErased, s.verdict(t, "s-1").Reason)
	})
}

func TestForgetRefusesWhatNoEdgeWrites(t *testing.T) {
	t.Parallel()
	s := open(t, http.NotFoundHandler())
	status, text := s.admin(t, http.MethodPost, "/sessions/forget", "Bearer "+token, `{"session":"s 1"}`)
	require.Equal(t, http.StatusBadRequest, status, text)
	require.NotContains(t, text, "s 1")
	s.halt(t)
	_, err := Forget(t.Context(), s.config, discard, "s 1", longest)
	require.ErrorContains(t, err, "session")
	require.NotContains(t, err.Error(), "s 1")
}

// broker is an address where Kafka is not reached until it comes back.
type broker struct{ address string }

func (b *broker) comesBack(t *testing.T, at string) {
	t.Helper()
	listener, err := net.Listen("tcp", b.address)
	require.NoError(t, err)
	var open sync.WaitGroup
	ctx, cut := context.WithCancel(context.Background())
	t.Cleanup(func() {
		_ = listener.Close()
		cut()
		open.Wait()
	})
	open.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer context.AfterFunc(ctx, func() { _ = from.Close() })()
				join(from, at)
			})
		}
	})
}

// join carries bytes both ways until either side ends.
func join(from net.Conn, at string) {
	defer from.Close()
	to, err := net.Dial("tcp", at)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	})
	_, _ = io.Copy(from, to)
	_ = from.Close()
	both.Wait()
}
