package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// long is more than anything here takes on a machine that is not stuck.
const long = time.Minute

var compacted = map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1"}

// requireProduced waits until Kafka has that many records of the edge.
func (b *bundle) requireProduced(count int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.metric("produced_total") >= float64(count) }, long, time.Millisecond,
		"%v of %d\n%s", b.metric("produced_total"), count, b.log)
}

// What is in the topic is what the click table joins: key, partition, value and time.
func TestClicksInKafkaAreWhatTheJoinReads(t *testing.T) {
	t.Parallel()
	const partitions = 7
	registry := kafkatest.Registry(t)
	asRegistry, err := sr.NewClient(sr.URLs(registry.URL()))
	require.NoError(t, err)
	for _, format := range []string{schema.FormatAvro, schema.FormatJSON, schema.FormatString} {
		for _, name := range []string{schema.PartitionerMurmur2, schema.PartitionerCRC32} {
			t.Run(format+"/"+name, func(t *testing.T) {
				t.Parallel()
				cluster := kafkatest.Start(t)
				topic := cluster.Topic(t, "cjevent", partitions, compacted)
				encode, err := NewEncoder(format, "cjevent", asRegistry)
				require.NoError(t, err)
				partitioner, err := schema.NewPartitioner(name)
				require.NoError(t, err)
				b := setup(t, onKafka(cluster, topic), func(c *Config) { c.Encode, c.Partitioner = encode, partitioner })
				stop := b.start()
				before := now()
				for i := range 20 {
					b.browser = newBrowser(b)
					b.browser.has("sid", fmt.Sprint("s-", i))
					b.browser.get("/?cjevent=" + clickA)
				}
				require.NoError(t, b.Forget(t.Context(), "s-0"))
				b.requireProduced(21)
				stop()
				records := cluster.Read(t, topic)
				require.Len(t, records, 21)
				decode, err := schema.NewClickDecoder(format, schema.NewRegistry(asRegistry))
				require.NoError(t, err)
				erased := 0
				for _, r := range records {
					require.Equal(t, partitioner(r.Key, partitions), int(r.Partition))
					require.WithinRange(t, r.Timestamp, before, now())
					if r.Value == nil {
						require.Equal(t, "s-0", string(r.Key))
						erased++
						continue
					}
					click, err := decode(t.Context(), r.Value, r.Timestamp)
					require.NoError(t, err)
					require.Equal(t, clickA, click.ID)
					require.True(t, click.CapturedAt.Equal(r.Timestamp), "the record's time is that of capture")
				}
				require.Equal(t, 1, erased)
			})
		}
	}
}

func TestAvroSchemaIsRegisteredOnlyWhereItIsMissing(t *testing.T) {
	t.Parallel()
	registry := kafkatest.Registry(t)
	client, err := sr.NewClient(sr.URLs(registry.URL()))
	require.NoError(t, err)
	var written atomic.Int32
	registry.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && r.URL.Path != "/subjects/cjevent-value" && r.URL.Path != "/subjects/clicks-value" {
			written.Add(1)
		}
		return false
	})
	known, err := NewEncoder(schema.FormatAvro, "cjevent", client)
	require.NoError(t, err)
	value, err := known(t.Context(), schema.Click{ID: clickA, CapturedAt: now()})
	require.NoError(t, err)
	require.Equal(t, byte(kafkatest.ClickSchemaID), value[4])
	require.Zero(t, written.Load())
	unknown, err := NewEncoder(schema.FormatAvro, "clicks", client)
	require.NoError(t, err)
	_, err = unknown(t.Context(), schema.Click{ID: clickA, CapturedAt: now()})
	require.NoError(t, err)
	require.EqualValues(t, 1, written.Load())

	away, err := sr.NewClient(sr.URLs("http://user:password@127.0.0.1:1"))
	require.NoError(t, err)
	broken, err := NewEncoder(schema.FormatAvro, "cjevent", away)
	require.NoError(t, err)
	_, err = broken(t.Context(), schema.Click{ID: clickA, CapturedAt: now()})
	require.ErrorIs(t, err, schema.ErrUnavailable)
	require.NotContains(t, err.Error(), "password")
}

// subjects is a registry that answers as it is told.
type subjects struct {
	lookup        error
	asked, writes int
}

func (s *subjects) LookupSchema(context.Context, string, sr.Schema) (sr.SubjectSchema, error) {
	s.asked++
	return sr.SubjectSchema{ID: 7}, s.lookup
}

func (s *subjects) CreateSchema(context.Context, string, sr.Schema) (sr.SubjectSchema, error) {
	s.writes++
	return sr.SubjectSchema{ID: 8}, nil
}

// A 404 of a proxy, or of a wrong path, is not the registry's word that the schema is missing.
func TestRegistryIsWrittenToOnlyWhereItSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lookup error
		writes int
		id     byte
	}{
		"There":         {nil, 0, 7},
		"NoSubject":     {&sr.ResponseError{StatusCode: http.StatusNotFound, ErrorCode: codeSubjectNotFound}, 1, 8},
		"NoSchema":      {&sr.ResponseError{StatusCode: http.StatusNotFound, ErrorCode: codeSchemaNotFound}, 1, 8},
		"AnotherServer": {&sr.ResponseError{StatusCode: http.StatusNotFound, ErrorCode: http.StatusNotFound}, 0, 0},
		"Forbidden":     {&sr.ResponseError{StatusCode: http.StatusForbidden, ErrorCode: 40301}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := &subjects{lookup: test.lookup}
			encode, err := NewEncoder(schema.FormatAvro, "cjevent", registry)
			require.NoError(t, err)
			for range 2 {
				value, err := encode(t.Context(), schema.Click{ID: clickA, CapturedAt: now()})
				if test.id == 0 {
					require.ErrorIs(t, err, schema.ErrUnavailable)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, test.id, value[4])
				require.Equal(t, 1, registry.asked, "once, and not for every click")
			}
			require.Equal(t, test.writes, registry.writes)
		})
	}
}

// look asks a table that is read from the topic's beginning.
func look(t *testing.T, cluster *kafkatest.Cluster, topic, session string, at time.Time) sessions.Finding {
	t.Helper()
	decode, err := schema.NewClickDecoder(schema.FormatJSON, nil)
	require.NoError(t, err)
	table, err := sessions.Open(sessions.Config{
		Topic: topic, Window: cookieLife, Decode: decode, Client: cluster.Options(), BatchMemory: 1 << 20, Log: slog.New(slog.DiscardHandler),
	}, sessions.NewMemory())
	require.NoError(t, err)
	defer table.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- table.Run(ctx) }()
	found, err := table.Look(ctx, session, at)
	require.NoError(t, err)
	cancel()
	require.NoError(t, <-ended)
	return found
}

// Monday a click, then a login; next week another edge, a new visit, and an order.
func TestClickOnMondayIsJoinedWithTheOrderOfNextWeek(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		topic := cluster.Topic(t, "cjevent", 3, compacted)
		b := setup(t, onKafka(cluster, topic))
		stop := b.start()
		monday := now()
		b.browser.get("/?cjevent=" + clickA)
		time.Sleep(10 * time.Minute)
		b.handler = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "sid=s-login; Path=/") }
		b.browser.get("/login")
		time.Sleep(time.Second)
		stop()

		time.Sleep(7 * 24 * time.Hour)
		edge, err := New(b.config)
		require.NoError(t, err)
		next := &bundle{Capture: edge, t: t, browser: b.browser, handler: func(http.ResponseWriter, *http.Request) {}}
		next.browser.b = next
		stop = next.start()
		next.browser.has("sid", "s-next-week")
		next.browser.get("/checkout")
		time.Sleep(time.Second)
		stop()
		for _, session := range []string{"s-login", "s-next-week"} {
			found := look(t, cluster, topic, session, time.Now())
			require.Empty(t, found.Reason)
			require.Equal(t, clickA, found.Click.ID)
			require.True(t, monday.Equal(found.Click.CapturedAt), found.Click.CapturedAt)
		}
		require.Equal(t, schema.ReasonNoClick, look(t, cluster, topic, "s-other", time.Now()).Reason)
	})
}

// gate is a network that can be cut.
type gate struct{ cut atomic.Bool }

func (g *gate) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if g.cut.Load() {
		return nil, errors.New("cut")
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// Kafka is away when the click comes, and the session is forgotten before it comes back.
func TestErasureIsNotUndoneByAClickThatWaited(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Start(t)
	topic := cluster.Topic(t, "cjevent", 3, compacted)
	wire := &gate{}
	wire.cut.Store(true)
	b := setup(t, onKafka(cluster, topic), func(c *Config) {
		c.Client = append(c.Client, kgo.Dialer(wire.dial), kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }))
		c.Drain = time.Millisecond
	})
	stop := b.start()
	for _, session := range []string{"s-1", "s-2"} {
		b.browser = newBrowser(b)
		b.browser.has("sid", session)
		require.Equal(t, http.StatusOK, b.browser.get("/?cjevent="+clickA).StatusCode)
		require.Equal(t, clickA, b.browser.cookie("cje"))
	}
	require.NoError(t, b.Forget(t.Context(), "s-1"))
	stop()
	require.Zero(t, b.metric("produced_total"))

	// The process starts anew, and Kafka is back.
	wire.cut.Store(false)
	again, err := New(b.config)
	require.NoError(t, err)
	after := &bundle{Capture: again, t: t, log: b.log}
	stopAfter := after.start()
	after.requireProduced(3)
	stopAfter()
	require.Equal(t, schema.ReasonClickErased, look(t, cluster, topic, "s-1", time.Now()).Reason)
	require.Equal(t, clickA, look(t, cluster, topic, "s-2", time.Now()).Click.ID)
}

// refuse lets Kafka refuse the next writes.
func refuseWrites(cluster *kafkatest.Cluster, err *kerr.Error, count int) {
	cluster.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: count})
}

func TestWhatKafkaRefusesForGoodIsSetAside(t *testing.T) {
	t.Parallel()
	for _, refusal := range []*kerr.Error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			cluster := kafkatest.StartFake(t)
			topic := cluster.Topic(t, "cjevent", 1, compacted)
			b := setup(t, onKafka(cluster, topic))
			for _, session := range []string{"s-poison", "s-2", "s-3"} {
				require.NoError(t, b.queue.add(newEntry(record{put, session, clickA, now()})))
			}
			refuseWrites(cluster, refusal, 2) // together, then the first alone
			stop := b.start()
			b.requireProduced(2)
			stop()
			require.Equal(t, 1.0, b.metric("lost_total{refused_by_kafka}"))
			require.Contains(t, b.log.String(), "set aside")
			require.NotContains(t, b.log.String(), "s-poison")
			var keys []string
			for _, r := range cluster.Read(t, topic) {
				keys = append(keys, string(r.Key))
			}
			require.Equal(t, []string{"s-2", "s-3"}, keys)
			content, err := osFiles{b.config.Spool.Dir}.read(asideFile)
			require.NoError(t, err)
			aside, _, _ := parseFrames(content[len(segmentMagic):])
			require.Len(t, aside, 1)
			require.Equal(t, "s-poison", aside[0].session)
		})
	}
}

func TestWhatIsWrongWithTheSetUpIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		topic := cluster.Topic(t, "cjevent", 1, compacted)
		b := setup(t, onKafka(cluster, topic))
		refuseWrites(cluster, kerr.TopicAuthorizationFailed, 20)
		stop := b.start()
		b.browser.has("sid", "s-1")
		b.browser.get("/?cjevent=" + clickA)
		time.Sleep(10 * time.Second)
		require.ErrorIs(t, b.Troubles()[0].Err, kerr.TopicAuthorizationFailed)
		require.NoError(t, b.Ready()[0].Err, "pages are served all the same")
		require.Equal(t, 1.0, b.metric("waiting"))
		require.Greater(t, b.metric("stuck_seconds"), 9.0)
		time.Sleep(5 * time.Minute)
		require.NoError(t, b.Troubles()[0].Err)
		require.Equal(t, 1.0, b.metric("produced_total"))
		require.Zero(t, b.metric("stuck_seconds"))
		stop()
		require.Error(t, b.Ready()[0].Err)
	})
}

func TestTopicThatIsNotThereYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		b := setup(t, onKafka(cluster, "later"))
		stop := b.start()
		b.browser.get("/?cjevent=" + clickA)
		time.Sleep(time.Minute)
		require.ErrorIs(t, b.Troubles()[0].Err, kerr.UnknownTopicOrPartition)
		_, err := cluster.Admin.CreateTopic(t.Context(), 1, 1, nil, "later")
		require.NoError(t, err)
		time.Sleep(6 * time.Minute)
		require.Equal(t, 1.0, b.metric("produced_total"))
		stop()
	})
}

// Brokers may refuse old times, and clicks are written again for 13 months.
func TestOldTimeThatKafkaRefusesIsReplacedWhereTheValueHasItsOwn(t *testing.T) {
	t.Parallel()
	for format, count := range map[string]int{schema.FormatJSON: 1, schema.FormatString: 0} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			cluster := kafkatest.StartFake(t)
			topic := cluster.Topic(t, "cjevent", 1, compacted)
			b := setup(t, onKafka(cluster, topic), func(c *Config) { c.Encode, _ = NewEncoder(format, "", nil) })
			captured := now().Add(-300 * 24 * time.Hour)
			require.NoError(t, b.queue.add(newEntry(record{put, "s-1", clickA, captured})))
			require.NoError(t, b.queue.add(newEntry(record{put, "s-2", clickA, now()})))
			refuseWrites(cluster, kerr.InvalidTimestamp, 2)
			stop := b.start()
			b.requireProduced(1 + count)
			stop()
			records := cluster.Read(t, topic)
			require.Len(t, records, 1+count)
			require.Equal(t, float64(1-count), b.metric("lost_total{refused_by_kafka}"))
			if count == 1 {
				require.WithinDuration(t, time.Now(), records[0].Timestamp, long)
				require.Contains(t, string(records[0].Value), captured.Format("2006-01-02T15:04:05.000Z"))
			}
		})
	}
}

// An erasure has no value, and what it stands for must not end in a file.
func TestErasureWhoseTimeKafkaRefusesIsProducedAsNew(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.StartFake(t)
	topic := cluster.Topic(t, "cjevent", 1, compacted)
	b := setup(t, onKafka(cluster, topic), func(c *Config) { c.Encode, _ = NewEncoder(schema.FormatString, "", nil) })
	require.NoError(t, b.queue.add(newEntry(record{erasure, "s-1", "", now().Add(-time.Hour)})))
	refuseWrites(cluster, kerr.InvalidTimestamp, 1)
	stop := b.start()
	b.requireProduced(1)
	stop()
	records := cluster.Read(t, topic)
	require.Len(t, records, 1)
	require.Nil(t, records[0].Value)
	require.Zero(t, b.metric("lost_total{refused_by_kafka}"))
}

func TestClockThatIsAheadOfKafkasIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		topic := cluster.Topic(t, "cjevent", 1, compacted)
		b := setup(t, onKafka(cluster, topic))
		refuseWrites(cluster, kerr.InvalidTimestamp, 5)
		stop := b.start()
		b.browser.get("/?cjevent=" + clickA)
		time.Sleep(2 * time.Second)
		require.ErrorContains(t, b.Troubles()[0].Err, "clock")
		time.Sleep(time.Minute)
		require.Equal(t, 1.0, b.metric("produced_total"))
		require.Zero(t, b.metric("lost_total{refused_by_kafka}"))
		stop()
	})
}

func TestStopDoesNotWaitForABrokerThatHangs(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.StartFake(t)
	topic := cluster.Topic(t, "cjevent", 1, compacted)
	hangs := make(chan struct{})
	asked := make(chan struct{}, 10)
	t.Cleanup(func() { close(hangs) })
	cluster.Fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Fake.KeepControl()
		asked <- struct{}{}
		cluster.Fake.SleepControl(func() { <-hangs })
		return nil, nil, false
	})
	b := setup(t, onKafka(cluster, topic), func(c *Config) { c.Drain = 10 * time.Millisecond })
	stop := b.start()
	b.browser.get("/?cjevent=" + clickA)
	<-asked
	stop()
	require.Zero(t, b.metric("produced_total"))
	again, err := New(b.config)
	require.NoError(t, err)
	require.Equal(t, 1, again.spool.state().records, "it is there for the next run")
	require.NoError(t, again.Close())
}
