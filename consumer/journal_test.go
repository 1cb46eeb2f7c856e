package consumer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

func headersOf(r *kgo.Record) map[string]string {
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[h.Key] += string(h.Value)
	}
	return headers
}

func TestDeadLetterIsTheOrderAndItsProvenance(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.cj.always(rejected)
	original := &kgo.Record{Topic: b.config.Topic, Key: []byte("key"), Value: []byte(order("ORD-1")), Headers: []kgo.RecordHeader{
		{Key: "traceparent", Value: []byte("00-1")},
		// The order came back from a dead-letter topic: what stands there is of its first life.
		{Key: "cjrelay-reason", Value: []byte("malformed")},
	}}
	b.Produce(t, &kgo.Record{Topic: b.config.Topic, Value: []byte(order("ORD-0"))}, original)
	b.start(t)
	b.requireCommitted(t, 0, 2)
	letters := b.Read(t, b.config.DeadLetterTopic)
	require.Len(t, letters, 2)
	var letter *kgo.Record
	for _, l := range letters {
		if string(l.Key) == "key" {
			letter = l
		}
	}
	require.NotNil(t, letter)
	require.Equal(t, original.Value, letter.Value)
	headers := headersOf(letter)
	at, err := time.Parse(time.RFC3339Nano, headers["cjrelay-at"])
	require.NoError(t, err)
	require.WithinDuration(t, b.outcomes(t)["ORD-1"].At, at, 0)
	delete(headers, "cjrelay-at")
	require.Equal(t, map[string]string{
		"traceparent": "00-1", "cjrelay-reason": "rejected", "cjrelay-error": "CJ answered 400 Bad Request",
		"cjrelay-topic": b.config.Topic, "cjrelay-partition": "0", "cjrelay-offset": "1", "cjrelay-attempts": "1", "cjrelay-status": "400",
		"cjrelay-version": "v0.0.0-test",
	}, headers)
}

func TestDeadLetterThatDoesNotFitIsStripped(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 20_000)
	hash := sha256.Sum256([]byte("{" + big))
	small := sha256.Sum256([]byte("{"))
	tests := map[string]struct {
		record *kgo.Record
		key    []byte
		header string
		hash   string
		bytes  string
	}{
		"LargeValue":   {&kgo.Record{Key: []byte("key"), Value: []byte("{" + big), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("1")}}}, []byte("key"), "1", hex.EncodeToString(hash[:]), "20001"},
		"LargeKey":     {&kgo.Record{Key: []byte(big), Value: []byte("{")}, nil, "", hex.EncodeToString(small[:]), "1"},
		"LargeHeaders": {&kgo.Record{Key: []byte("key"), Value: []byte("{"), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte(big)}}}, nil, "", hex.EncodeToString(small[:]), "1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.Start(t), 1)
			b.readClicks(t)
			b.config.DeadLetterTopic = b.Topic(t, "dlq", 1, map[string]string{"max.message.bytes": "10000"})
			test.record.Topic = b.config.Topic
			b.Produce(t, test.record)
			b.confirm(t, 0, "{")
			r := b.start(t)
			b.requireCommitted(t, 0, 2)
			letters := b.Read(t, b.config.DeadLetterTopic)
			require.Len(t, letters, 2)
			for _, letter := range letters {
				headers := headersOf(letter)
				if headers["cjrelay-offset"] == "1" {
					require.Equal(t, "malformed", headers["cjrelay-reason"])
					require.Equal(t, "{", string(letter.Value), "a neighbour that fits stays whole")
					continue
				}
				require.Nil(t, letter.Value)
				require.Equal(t, test.key, letter.Key)
				require.Equal(t, test.header, headers["trace"])
				require.Equal(t, "too_large", headers["cjrelay-reason"])
				require.Equal(t, test.hash, headers["cjrelay-sha256"])
				require.Equal(t, test.bytes, headers["cjrelay-bytes"])
			}
			require.NoError(t, r.health.deadLetters.current())
			require.Equal(t, schema.ReasonMalformed, b.outcomes(t)["0@0"].Reason)
		})
	}
}

// Texts that no topic of outcomes takes must not hold the partition for ever.
func TestOutcomeThatDoesNotFitIsWrittenByPlace(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.config.OutcomesTopic = b.Topic(t, "outcomes", 1, map[string]string{"max.message.bytes": "10000"})
	long := strings.Repeat("x", 20_000)
	b.confirm(t, 0,
		fmt.Sprintf(`{"order_id":"ORD-0","session_id":%q,"confirmed_at":%q,"currency":"USD","amount":"1"}`, long, confirmed),
		fmt.Sprintf(`{"order_id":%q,"session_id":"s","confirmed_at":%q,"currency":"USD","amount":"1"}`, long, confirmed),
		order("ORD-2"))
	b.start(t)
	b.requireCommitted(t, 0, 3)
	outcomes := b.outcomes(t)
	require.Equal(t, schema.ReasonNoClick, outcomes["0@0"].Reason)
	require.Equal(t, schema.ReasonNoClick, outcomes["0@1"].Reason)
	require.Equal(t, schema.Acknowledged, outcomes["ORD-2"].Outcome, "a neighbour that fits stays whole")
}

// CJ has acknowledged, but the outcome cannot be written: nothing is committed, nothing is sent again, and it heals.
func TestOutcomesThatCannotBeWrittenBlockTheCommitOnFake(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]*kerr.Error{
		"ForGood":            kerr.TopicAuthorizationFailed,
		"TriedByTheClient":   kerr.NotEnoughReplicas,
		"InvalidRecord":      kerr.InvalidRecord,
		"UnknownServerError": kerr.UnknownServerError,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.StartFake(t), 1)
			b.readClicks(t)
			fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.config.OutcomesTopic, Err: code, Count: -1})
			b.confirm(t, 0, orders(ids(5)...)...)
			r := b.start(t)
			require.NoError(t, fault.Wait(t.Context(), 5))
			require.EqualValues(t, 0, b.committed(t, 0))
			require.Equal(t, 5, r.bounds.orders())
			fault.Remove()
			b.requireCommitted(t, 0, 5)
			b.requireOnce(t, ids(5))
			require.Len(t, b.outcomes(t), 5)
			require.NoError(t, r.health.outcomes.current())
			if !kerr.IsRetriable(code) {
				require.Positive(t, testutil.ToFloat64(r.metrics.writeFailures.WithLabelValues(b.config.OutcomesTopic)))
			}
		})
	}
}

// A stop that leaves acknowledged orders without an outcome says so: somebody will see them at CJ twice.
func TestStopSaysWhichOutcomesAreNotWrittenOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.config.Drain = 50 * time.Millisecond
	fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.config.OutcomesTopic, Err: kerr.TopicAuthorizationFailed, Count: -1})
	b.confirm(t, 0, orders(ids(3)...)...)
	r := b.start(t)
	eventually(t, func() bool { return b.cj.total() == 3 }, "they are not sent")
	r.halt(t)
	fault.Remove()
	require.Equal(t, 1, b.log.count("whoever has their partitions next sends them again"))
	require.Equal(t, 1, b.log.count("orders=3 topic="+b.config.OutcomesTopic))
	b.start(t)
	b.requireCommitted(t, 0, 3)
	require.Equal(t, 6, b.cj.total())
}

// The client tries some faults again for ever and says nothing. The time says it.
func TestSlowWritesTurnUnreadyOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.config.OutcomesTopic, Err: kerr.NotEnoughReplicas, Count: -1})
		b.confirm(t, 0, b.pastOrders(1)...)
		r := b.start(t)
		eventually(t, func() bool { return b.cj.total() == 1 }, "not sent")
		time.Sleep(slowWrite + lasting - 2*time.Second)
		require.NoError(t, r.check(t, "outcomes"))
		time.Sleep(4 * time.Second)
		require.ErrorContains(t, r.check(t, "outcomes"), "writing to topic "+b.config.OutcomesTopic)
		require.NoError(t, r.check(t, "dead_letters"))
		fault.Remove()
		b.requireCommitted(t, 0, 1)
		require.NoError(t, r.check(t, "outcomes"))
		require.Equal(t, 1, b.cj.total())
		r.halt(t)
	})
}

// One dead letter that cannot be written holds its partition's commit. That others are fine must not hide it.
func TestStuckDeadLetterIsSaidWhileOthersFareWellOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.BackoffInitial, b.config.BackoffMax = time.Second, 20*time.Second
		fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.config.DeadLetterTopic, Err: kerr.TopicAuthorizationFailed, Count: -1})
		b.Produce(t, &kgo.Record{Topic: b.config.Topic, Key: []byte("key"), Value: []byte("{"), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("abc")}}})
		r := b.start(t)
		for range 45 {
			b.confirm(t, 0, b.another())
			time.Sleep(time.Second)
		}
		require.ErrorContains(t, r.check(t, "dead_letters"), "TOPIC_AUTHORIZATION_FAILED")
		require.NoError(t, r.check(t, "outcomes"))
		require.EqualValues(t, 0, b.committed(t, 0))
		require.Less(t, fault.Hits(), 45, "the waits between the tries grow")
		fault.Remove()
		b.requireCommitted(t, 0, 46)
		require.NoError(t, r.check(t, "dead_letters"))
		letter := b.Read(t, b.config.DeadLetterTopic)[0]
		require.Equal(t, "key", string(letter.Key))
		require.Equal(t, "{", string(letter.Value))
		require.Equal(t, "abc", headersOf(letter)["trace"])
		require.Equal(t, "malformed", headersOf(letter)["cjrelay-reason"])
		r.halt(t)
	})
}

// A revoke ends a write that does not end by itself, and the order is the next owner's.
func TestWriteEndsWithItsPartitionOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.config.Drain = 50 * time.Millisecond
	fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.config.OutcomesTopic, Err: kerr.TopicAuthorizationFailed, Count: -1})
	b.confirm(t, 0, order("ORD-0"))
	r := b.start(t)
	require.NoError(t, fault.Wait(t.Context(), 2))
	r.halt(t)
	require.EqualValues(t, 0, b.committed(t, 0))
	require.NoError(t, r.health.outcomes.current(), "nobody is in the trouble any more")
}

// The same where it waits to be made again, which it then never is.
func TestWriteThatWaitsEndsWithItsPartitionOnFake(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value     string
		topic     func(c Config) string
		condition func(h *health) *condition
	}{
		"Outcome":    {order("ORD-0"), func(c Config) string { return c.OutcomesTopic }, func(h *health) *condition { return &h.outcomes }},
		"DeadLetter": {"{", func(c Config) string { return c.DeadLetterTopic }, func(h *health) *condition { return &h.deadLetters }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.StartFake(t), 1)
			b.readClicks(t)
			b.config.Drain = 50 * time.Millisecond
			b.config.BackoffInitial, b.config.BackoffMax = 1000*time.Hour, 1000*time.Hour
			b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: test.topic(b.config), Err: kerr.TopicAuthorizationFailed, Count: 1})
			b.confirm(t, 0, test.value)
			r := b.start(t)
			trouble := test.condition(&r.health)
			eventually(t, func() bool { return trouble.current() != nil }, "the write does not fail")
			l := r.life(0)
			l.kill()
			l.underWay.Wait()
			require.Equal(t, 1, l.standing().Pending)
			r.halt(t)
			require.EqualValues(t, 0, b.committed(t, 0))
			require.Empty(t, b.outcomes(t))
			require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
			require.NoError(t, trouble.current(), "nobody is in the trouble any more")
		})
	}
}

// One replica alone may be lost, and what it says is durable with it.
func TestAllReplicasMustHaveWhatIsWrittenOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.confirm(t, 0, order("ORD-0"), "{")
	weak := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1, When: func(r kmsg.Request) bool { return r.(*kmsg.ProduceRequest).Acks != -1 }})
	b.start(t)
	b.requireCommitted(t, 0, 2)
	require.Zero(t, weak.Hits())
}

// As many dead letters as there may be orders wait to be written, and the outcome of each is written once it is.
func TestDeadLettersUpToTheBoundAreWrittenOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.config.MaxPending = 4
	fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.config.DeadLetterTopic, Err: kerr.NotEnoughReplicas, Count: -1})
	b.confirm(t, 0, "{", "{", "{", "{")
	r := b.start(t)
	eventually(t, func() bool {
		view := r.View()
		return len(view.Partitions) == 1 && view.Partitions[0].Counts[Writing] == 4
	}, "not all are being written")
	fault.Remove()
	b.requireCommitted(t, 0, 4)
	require.Len(t, b.outcomes(t), 4)
}

func TestErrorTextOfADeadLetterIsBounded(t *testing.T) {
	t.Parallel()
	d := deadLetter{record: &kgo.Record{}, cause: errors.New(strings.Repeat("é", maxErrorText))}
	text := headersOf(d.bare())["cjrelay-error"]
	require.LessOrEqual(t, len(text), maxErrorText)
	require.Equal(t, strings.ToValidUTF8(text, ""), text)
}
