package edge

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// A wrong address or password must not stay hidden until the first click comes.
func TestKafkaThatDoesNotTellIsSaidOnce(t *testing.T) {
	t.Parallel()
	kafka := kafkatest.StartFake(t)
	kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.ClusterAuthorizationFailed, Count: 2})
	cfg := settings(t, kafka.Brokers)
	cfg.Capture.Upstream = "http://127.0.0.1:1"
	log := &logText{}
	e, err := New(cfg, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Run(canceled(t))) })
	e.checkTopic(t.Context())
	require.Equal(t, 1, strings.Count(log.String(), "does not tell"), log)
	require.Contains(t, log.String(), "CLUSTER_AUTHORIZATION_FAILED")
	require.Contains(t, log.String(), "status=missing", "it goes on asking")
}

// A name that is wrong must not stay hidden either.
func TestTopicThatIsMissingIsSaidAtTheStart(t *testing.T) {
	t.Parallel()
	s := open(t, http.NotFoundHandler(), func(c *config.Config) { c.Clicks.Topic = kafkatest.Name("missing") })
	await(t, "it is said", func() bool { return strings.Contains(s.log.String(), "status=missing") })
	require.NotContains(t, s.log.String(), "topic="+s.config.Orders.Topic, "the other topics are no business of the edge")
}
