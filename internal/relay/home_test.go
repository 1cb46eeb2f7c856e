package relay_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/relay"
)

// An order of no session has its home nowhere else, and neither has what is no order.
func TestOrdersWithoutASessionStayWhereTheyWere(t *testing.T) {
	t.Parallel()
	s := open(t, 4)
	decode, _, err := relay.Decoders(s.config, nil)
	require.NoError(t, err)
	client := s.kafka.Client(t)
	home, err := relay.Home(t.Context(), client, s.config, decode)
	require.NoError(t, err)
	require.Nil(t, home, "in a global join all do")
	s.config.Clicks.Join = "copartitioned"
	home, err = relay.Home(t.Context(), client, s.config, decode)
	require.NoError(t, err)
	for partition := range int32(4) {
		alone := s.record(t, s.order("ORD-1", "", carrying(clickOf("s"))))
		alone.Partition = partition
		require.Equal(t, partition, home(t.Context(), alone))
		require.Equal(t, partition, home(t.Context(), &kgo.Record{Partition: partition, Value: []byte("{")}))
	}
	s.config.Orders.Topic = kafkatest.Name("missing")
	_, err = relay.Home(t.Context(), client, s.config, decode)
	require.ErrorContains(t, err, "asking for topic")
}
