package relay_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/schema"
)

// outage is what stands between a relay and its registry.
type outage struct {
	mode  atomic.Pointer[func(http.ResponseWriter)] // nil while the registry answers
	asked atomic.Int64
}

// interrupt puts an outage before the shop's registry; it does nothing yet.
func (s *shop) interrupt() *outage {
	o := &outage{}
	s.registry.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		mode := o.mode.Load()
		if mode == nil {
			return false
		}
		o.asked.Add(1)
		(*mode)(w)
		return true
	})
	return o
}

func (o *outage) begin(mode func(http.ResponseWriter)) { o.mode.Store(&mode) }
func (o *outage) end()                                 { o.mode.Store(nil) }

func answering(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// With a schema id the relay has never seen, orders wait for the registry however it fails; those with a
// known id go on.
func TestRegistryOutageDelaysOrdersAndLosesNone(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.useAvro(t)
	const newID = 30
	s.registry.SeedSchema("order.confirmed-value", 2, newID, sr.Schema{Schema: schema.OrderConfirmedSchema})
	registry := s.interrupt()
	to := func(partition int32, id string, schemaID byte) *kgo.Record {
		r := s.record(t, s.order(id, "", carrying(clickOf(id))))
		r.Key, r.Partition, r.Value[4] = nil, partition, schemaID
		return r
	}
	s.kafka.Produce(t, to(0, "KNOWN-1", 1), to(1, "KNOWN-2", 1))
	r := s.start(t)
	s.awaitOutcomes(t, 2)

	registry.begin(answering(http.StatusServiceUnavailable, ""))
	s.kafka.Produce(t, to(0, "KNOWN-3", 1), to(0, "NEW-1", newID), to(0, "NEW-2", newID))
	s.await(t, "fetching pauses for the registry", func() bool { return r.metric(t, "cjrelay_paused", "reason", "registry") == 1 })
	s.kafka.Produce(t, to(1, "KNOWN-4", 1), to(0, "BEHIND", 1))
	s.awaitOutcomes(t, 4)
	for name, mode := range map[string]func(http.ResponseWriter){
		"a proxy's page":     answering(http.StatusNotFound, "<html>no such page</html>"),
		"another status":     answering(http.StatusUnauthorized, `{"error_code": 40101, "message": "who?"}`),
		"another service":    answering(http.StatusOK, "<html>welcome</html>"),
		"another JSON":       answering(http.StatusOK, "{}"),
		"no answer":          func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"an overloaded node": answering(http.StatusTooManyRequests, ""),
	} {
		before := registry.asked.Load()
		registry.begin(mode)
		s.await(t, "asked again after "+name, func() bool { return registry.asked.Load() >= before+3 })
	}
	require.Equal(t, 4, s.cj.Count())
	require.False(t, s.cj.Acknowledged("BEHIND"), "its partition pauses")
	require.Empty(t, s.kafka.Read(t, s.config.DeadLetter.Topic))
	require.Zero(t, r.metric(t, "cjrelay_outcomes_total", "outcome", "dead_letter", "reason", "unknown_schema"))

	registry.end()
	s.awaitOutcomes(t, 7)
	s.await(t, "fetching resumes", func() bool { return r.metric(t, "cjrelay_paused", "reason", "registry") == 0 })
	b := s.audit(t)
	require.Equal(t, 7, s.cj.Count())
	for _, id := range []string{"KNOWN-1", "KNOWN-2", "KNOWN-3", "KNOWN-4", "NEW-1", "NEW-2", "BEHIND"} {
		b.requireAcknowledged(t, s, id, clickOf(id), schema.ReasonCarried)
	}
}

// A click that cannot be decoded yet must not turn into an order without click.
func TestRegistryOutageDelaysTheJoin(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.useAvro(t)
	s.config.Orders.Format = config.JSON
	registry := s.interrupt()
	registry.begin(answering(http.StatusServiceUnavailable, ""))
	s.visited(t, s.hourAgo("s-1"))
	s.confirm(t, s.order("JOINED", "s-1"), s.order("CARRIED", "s-2", carrying(clickOf("own"))))
	r := s.start(t)
	s.awaitOutcomes(t, 1)
	s.await(t, "fetching pauses for the click table", func() bool { return r.metric(t, "cjrelay_paused", "reason", "freshness") == 1 })
	s.await(t, "the registry is asked again", func() bool { return registry.asked.Load() >= 2 })
	require.Error(t, s.ready(r, "clicks"))
	require.Equal(t, 1, s.cj.Count())

	registry.end()
	s.awaitOutcomes(t, 2)
	s.await(t, "fetching resumes", func() bool { return r.metric(t, "cjrelay_paused", "reason", "freshness") == 0 })
	s.await(t, "the click table is ready", func() bool { return s.ready(r, "clicks") == nil })
	b := s.audit(t)
	b.requireAcknowledged(t, s, "JOINED", clickOf("s-1"), schema.ReasonJoined)
	b.requireAcknowledged(t, s, "CARRIED", clickOf("own"), schema.ReasonCarried)
	require.Equal(t, 2, s.cj.Count())
}

// A registry that accepts connections and never answers holds back only the orders that need it.
func TestSilentRegistryHoldsBackNobodyElse(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.useAvro(t)
	const newID = 30
	s.registry.SeedSchema("order.confirmed-value", 2, newID, sr.Schema{Schema: schema.OrderConfirmedSchema})
	registry := s.interrupt()
	s.confirm(t, s.order("KNOWN-1", "", carrying(clickOf("1"))))
	s.start(t)
	s.awaitOutcomes(t, 1)

	silence := make(chan struct{})
	answer := sync.OnceFunc(func() { close(silence) })
	t.Cleanup(answer)
	registry.begin(func(http.ResponseWriter) { <-silence })
	var records []*kgo.Record
	for _, o := range s.many(3, "NEW") {
		record := s.record(t, o)
		record.Value[4] = newID
		records = append(records, record)
	}
	s.kafka.Produce(t, append(records, s.record(t, s.order("KNOWN-2", "", carrying(clickOf("2")))))...)
	s.awaitOutcomes(t, 2)
	require.EqualValues(t, 1, registry.asked.Load(), "KNOWN-2 waited until a request to the registry timed out")
	registry.end()
	answer()
	s.awaitOutcomes(t, 5)
	s.audit(t)
	require.Equal(t, 5, s.cj.Count())
}
