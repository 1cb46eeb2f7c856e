package edge

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

func TestReachFollowsKafka(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r reach
		away := errors.New("connection refused")
		var up atomic.Bool
		var asked atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.watch(ctx, func(context.Context) error {
				asked.Add(1)
				if up.Load() {
					return nil
				}
				return away
			})
		}()
		time.Sleep(time.Second) // between two questions
		require.ErrorIs(t, r.trouble(), away, "it was asked at once")
		time.Sleep(time.Minute)
		require.EqualValues(t, 1+time.Minute/askAgain, asked.Load())
		up.Store(true)
		time.Sleep(askAgain)
		require.NoError(t, r.trouble(), "it has come back")
		before := asked.Load()
		time.Sleep(10 * askEvery)
		require.Equal(t, before+10, asked.Load(), "a Kafka that is well is asked seldom")
		up.Store(false)
		time.Sleep(askEvery)
		require.ErrorIs(t, r.trouble(), away, "it has gone, and no click has come")
		stop()
		<-ended
	})
}

// What is cut off by a stop says nothing about Kafka.
func TestReachIsNotSpoiltByAStop(t *testing.T) {
	t.Parallel()
	var r reach
	r.watch(canceled(t), func(ctx context.Context) error { return ctx.Err() })
	require.NoError(t, r.trouble())
}

func TestTroublesShowWhetherKafkaAnswers(t *testing.T) {
	t.Parallel()
	cfg := settings(t, []string{"127.0.0.1:1"})
	cfg.Capture.Upstream = "http://127.0.0.1:1"
	e, err := New(cfg, discard)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Run(canceled(t))) })
	well := []console.Check{{Name: "kafka"}, {Name: "registry"}, {Name: "spool"}, {Name: "room"}}
	require.Equal(t, well, e.troubles())
	away := errors.New("connection refused")
	e.reach.set(away)
	require.Equal(t, append([]console.Check{{Name: "kafka", Err: away}}, well[1:]...), e.troubles())
}

// Kafka answers and does not take clicks: readiness shows what the capture knows.
func TestTroublesShowWhyKafkaTakesNoClicks(t *testing.T) {
	t.Parallel()
	kafka := kafkatest.StartFake(t)
	kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	s := open(t, http.NotFoundHandler(), func(c *config.Config) {
		c.Kafka.Brokers = kafka.Brokers
		c.Clicks.Topic = kafka.Topic(t, "cjevent", 1, nil)
		c.Delivery.ShutdownGrace = 300 * time.Millisecond
	})
	s.ask(t, http.MethodGet, "/?cjevent="+click)
	await(t, "it is shown", func() bool {
		status, text := s.admin(t, http.MethodGet, "/readyz?verbose", "", "")
		return status == http.StatusOK && strings.Contains(text, "[!] kafka: ") && strings.Contains(text, "TOPIC_AUTHORIZATION_FAILED")
	})
}
