package relay_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// look is a look into the shop's click topic.
func (s *shop) look() relay.TopicLook {
	return relay.TopicLook{Config: s.config, Log: slog.New(slog.DiscardHandler), Patience: longest}
}

func TestRunningRelayAndTopicSayTheSameOfASession(t *testing.T) {
	t.Parallel()
	for _, format := range []string{config.Avro, config.JSON, config.BareClick} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := open(t, 3)
			s.useAvro(t)
			s.config.Clicks.Format = format
			early, late := s.hourAgo("s-1"), visit{"s-1", clickOf("late"), s.now.Add(time.Second)}
			s.visited(t, late, early, s.hourAgo("s-2"))
			r := s.start(t)
			ctx, cancel := s.waiting(t)
			defer cancel()
			table, err := r.Look(ctx, "s-1", s.now)
			require.NoError(t, err)
			topic, err := s.look().Look(ctx, "s-1", s.now)
			require.NoError(t, err)
			require.Equal(t, table.Clicks, topic.Clicks)
			require.Equal(t, table.Click, topic.Click)
			require.Len(t, topic.Clicks, 2)
			require.Equal(t, schema.Click{ID: early.click, CapturedAt: early.at}, topic.Click)
		})
	}
}

func TestLookIntoATopicThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.config.Clicks.Topic = kafkatest.Name("missing")
	_, err := s.look().Look(t.Context(), "s-1", s.now)
	require.ErrorContains(t, err, "does not exist: make it with `cjrelay topics`")
}

// A person does not wait for as long as it takes, and is told for what they waited.
func TestLookThatDoesNotGetOnIsGivenUp(t *testing.T) {
	t.Parallel()
	t.Run("KafkaAway", func(t *testing.T) {
		t.Parallel()
		s := open(t, 1)
		s.config.Kafka.Brokers = []string{"127.0.0.1:1"}
		look := s.look()
		look.Patience = 100 * time.Millisecond
		_, err := look.Look(t.Context(), "s-1", s.now)
		require.ErrorContains(t, err, "kafka at [127.0.0.1:1]: ")
	})
	t.Run("RegistryAway", func(t *testing.T) {
		t.Parallel()
		s := open(t, 1)
		s.useAvro(t)
		s.visited(t, s.hourAgo("s-1"))
		broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		t.Cleanup(broken.Close)
		s.config.Registry.URL = broken.URL
		look := s.look()
		look.Patience = time.Second
		var left int64
		look.Progress = func(now int64) { left = now }
		_, err := look.Look(t.Context(), "s-1", s.now)
		require.ErrorIs(t, err, schema.ErrUnavailable)
		require.ErrorContains(t, err, "nothing has moved for 1s")
		require.EqualValues(t, 1, left)
	})
	t.Run("Interrupted", func(t *testing.T) {
		t.Parallel()
		s := open(t, 1)
		ctx, interrupt := context.WithCancel(t.Context())
		interrupt()
		_, err := s.look().Look(ctx, "s-1", s.now)
		require.ErrorIs(t, err, context.Canceled)
	})
}
