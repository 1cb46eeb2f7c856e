package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// shelf is a topic of three partitions with a group, and records whose times are minutes after noon.
type shelf struct {
	*kafkatest.Cluster
	topic, group string
}

var noon = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)

func newShelf(t *testing.T, kafka *kafkatest.Cluster) *shelf {
	return &shelf{Cluster: kafka, topic: kafka.Topic(t, "orders", 3, map[string]string{"retention.ms": "-1"}), group: kafkatest.Name("group")}
}

// fill puts ten orders into partition 0 and four into partition 1; partition 2 stays empty.
func (s *shelf) fill(t *testing.T) {
	for minute := range 10 {
		s.Produce(t, &kgo.Record{Topic: s.topic, Value: []byte("v"), Timestamp: noon.Add(time.Duration(minute) * time.Minute)})
	}
	for minute := range 4 {
		s.Produce(t, &kgo.Record{Topic: s.topic, Partition: 1, Value: []byte("v"), Timestamp: noon.Add(time.Duration(minute) * time.Minute)})
	}
}

func (s *shelf) settle(t *testing.T, start Start) error {
	return start.settle(t.Context(), s.Admin, s.group, s.topic, slog.New(slog.DiscardHandler))
}

func (s *shelf) committed(t *testing.T) map[int32]int64 {
	offsets, err := s.Admin.FetchOffsetsForTopics(t.Context(), s.group, s.topic)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[int32]int64{0: -1, 1: -1, 2: -1}
	}
	require.NoError(t, err)
	committed := map[int32]int64{}
	for partition, offset := range offsets[s.topic] {
		committed[partition] = offset.At
	}
	return committed
}

func TestStartIsCommittedForEveryPartition(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		start Start
		want  map[int32]int64
	}{
		"Earliest":           {Earliest(), map[int32]int64{0: 0, 1: 0, 2: 0}},
		"Latest":             {Latest(), map[int32]int64{0: 10, 1: 4, 2: 0}},
		"ATime":              {At(noon.Add(2 * time.Minute)), map[int32]int64{0: 2, 1: 2, 2: 0}},
		"ATimeBetweenOrders": {At(noon.Add(2*time.Minute + time.Second)), map[int32]int64{0: 3, 1: 3, 2: 0}},
		"ATimePastSome":      {At(noon.Add(8 * time.Minute)), map[int32]int64{0: 8, 1: 4, 2: 0}},
		"ATimePastAll":       {At(noon.Add(time.Hour)), map[int32]int64{0: 10, 1: 4, 2: 0}},
		"ATimeBeforeAll":     {At(noon.Add(-time.Hour)), map[int32]int64{0: 0, 1: 0, 2: 0}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, kafkatest.Start(t))
			s.fill(t)
			require.NoError(t, s.settle(t, test.start))
			require.Equal(t, test.want, s.committed(t))
		})
	}
}

// An order in a transaction that is open at the start is confirmed after it, and no consumer has seen it.
func TestLatestIsBeforeOpenTransactions(t *testing.T) {
	t.Parallel()
	s := newShelf(t, kafkatest.Start(t))
	s.fill(t)
	platform := s.Client(t, kgo.TransactionalID(kafkatest.Name("platform")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, platform.BeginTransaction())
	require.NoError(t, platform.ProduceSync(t.Context(), &kgo.Record{Topic: s.topic, Value: []byte("v")}).FirstErr())
	require.NoError(t, s.settle(t, Latest()))
	require.NoError(t, platform.EndTransaction(t.Context(), kgo.TryCommit))
	require.Equal(t, map[int32]int64{0: 10, 1: 4, 2: 0}, s.committed(t))
}

// Brokers are first asked for the time, and then for the ends of partitions without such an order.
func TestOrderThatComesWhileATimeIsLookedUpIsNotPassedOverOnFake(t *testing.T) {
	t.Parallel()
	s := newShelf(t, kafkatest.StartFake(t))
	s.fill(t)
	at := noon.Add(time.Hour)
	var lookedUp, came bool // of the fake's one goroutine
	s.Fake.ControlKey(kmsg.ListOffsets.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.Fake.KeepControl()
		if r.(*kmsg.ListOffsetsRequest).Topics[0].Partitions[0].Timestamp >= 0 {
			lookedUp = true
		} else if lookedUp && !came {
			came = true
			s.Fake.SleepControl(func() { s.Produce(t, &kgo.Record{Topic: s.topic, Value: []byte("v"), Timestamp: at}) })
		}
		return nil, nil, false
	})
	require.NoError(t, s.settle(t, At(at)))
	require.Equal(t, map[int32]int64{0: 10, 1: 4, 2: 0}, s.committed(t))
}

func TestUnsetStartRefusesToFireHistory(t *testing.T) {
	t.Parallel()
	s := newShelf(t, kafkatest.Start(t))
	s.fill(t)
	err := s.settle(t, Start{})
	require.EqualError(t, err, `orders.start is not set: group "`+s.group+`" has no committed offsets and topic "`+s.topic+`" holds about 14 records. `+
		`Set orders.start to a time (safest), earliest (fires all of them) or latest (skips them)`)
	require.Equal(t, map[int32]int64{0: -1, 1: -1, 2: -1}, s.committed(t), "nothing may be decided")
}

func TestUnsetStartIsFineOnAnEmptyTopic(t *testing.T) {
	t.Parallel()
	for name, emptied := range map[string]bool{"NeverFilled": false, "EmptiedByRetention": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, kafkatest.Start(t))
			want := map[int32]int64{0: 0, 1: 0, 2: 0}
			if emptied {
				s.fill(t)
				s.deleteRecords(t, map[int32]int64{0: 10, 1: 4})
				want = map[int32]int64{0: 10, 1: 4, 2: 0}
			}
			require.NoError(t, s.settle(t, Start{}))
			require.Equal(t, want, s.committed(t))
		})
	}
}

func (s *shelf) deleteRecords(t *testing.T, before map[int32]int64) {
	t.Helper()
	deleteRecords(t, s.Cluster, s.topic, before)
}

func deleteRecords(t *testing.T, kafka *kafkatest.Cluster, topic string, before map[int32]int64) {
	t.Helper()
	var offsets kadm.Offsets
	for partition, offset := range before {
		offsets.AddOffset(topic, partition, offset, -1)
	}
	deleted, err := kafka.Admin.DeleteRecords(t.Context(), offsets)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
}

func TestCommittedOffsetsAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := newShelf(t, kafkatest.Start(t))
	s.fill(t)
	// A group that has any offset has started once: a partition without one was added later.
	var mine kadm.Offsets
	mine.AddOffset(s.topic, 0, 7, -1)
	require.NoError(t, s.Admin.CommitAllOffsets(t.Context(), s.group, mine))
	for _, start := range []Start{{}, Earliest(), Latest(), At(noon)} {
		require.NoError(t, s.settle(t, start))
		require.Equal(t, map[int32]int64{0: 7, 1: -1, 2: -1}, s.committed(t))
	}
}

func TestMissingTopicIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	s := newShelf(t, kafkatest.Start(t))
	s.topic = "not.there"
	began := time.Now()
	require.EqualError(t, s.settle(t, Earliest()), "orders.topic \"not.there\" does not exist: check the name, or make it with `cjrelay topics`")
	require.Less(t, time.Since(began), 30*time.Second, "trying again does not help")
}

// Two instances that start together resolve "latest" to one and the same offsets, or the second one finds
// what the first has settled; neither undoes the other once it runs.
func TestTwoInstancesSettleOneStart(t *testing.T) {
	t.Parallel()
	s := newShelf(t, kafkatest.Start(t))
	s.fill(t)
	var instances sync.WaitGroup
	for range 4 {
		instances.Go(func() {
			if err := s.settle(t, Earliest()); err != nil {
				t.Error(err)
			}
		})
	}
	instances.Wait()
	require.Equal(t, map[int32]int64{0: 0, 1: 0, 2: 0}, s.committed(t))
}

// An instance that comes when the group already works must not set it back, however late its answer is.
func TestLateInstanceDoesNotSetTheGroupBackOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.confirm(t, 0, orders(ids(5)...)...)
	// The second instance has asked for the offsets before the first one committed any.
	asked, goOn := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	b.Fake.ControlKey(kmsg.OffsetCommit.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake.KeepControl()
		if held.CompareAndSwap(false, true) {
			close(asked)
			b.Fake.SleepControl(func() { <-goOn })
		}
		return nil, nil, false
	})
	late := make(chan error, 1)
	admin := kadm.NewClient(b.Client(t)) // a connection of its own, which waits for the answer
	go func() {
		late <- Earliest().settle(context.Background(), admin, b.config.Group, b.config.Topic, slog.New(slog.DiscardHandler))
	}()
	<-asked
	b.readClicks(t)
	b.start(t)
	b.requireCommitted(t, 0, 5)
	close(goOn)
	require.NoError(t, <-late)
	require.EqualValues(t, 5, b.committed(t, 0))
}

// Nor must one that was slow where the first has worked and is gone: then no broker refuses its commit.
func TestLateInstanceDoesNotSetAGroupBackThatIsGoneOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.confirm(t, 0, orders(ids(5)...)...)
	// The second instance has asked whether the group has begun, and now asks where the topic does.
	asked, goOn := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	b.Fake.ControlKey(kmsg.ListOffsets.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake.KeepControl()
		if held.CompareAndSwap(false, true) {
			close(asked)
			b.Fake.SleepControl(func() { <-goOn })
		}
		return nil, nil, false
	})
	late := make(chan error, 1)
	admin := kadm.NewClient(b.Client(t)) // a connection of its own, which waits for the answer
	go func() {
		late <- Earliest().settle(context.Background(), admin, b.config.Group, b.config.Topic, slog.New(slog.DiscardHandler))
	}()
	<-asked
	b.readClicks(t)
	r := b.start(t)
	b.requireCommitted(t, 0, 5)
	r.halt(t)
	close(goOn)
	require.NoError(t, <-late)
	require.EqualValues(t, 5, b.committed(t, 0))
}

func TestSettlingIsTriedAgainOnFake(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]kfake.Fault{
		"OffsetsCannotBeAsked": {Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnknownServerError},
		"TheListingFails":      {Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.UnknownServerError},
		"TheCommitFails":       {Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RebalanceInProgress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, kafkatest.StartFake(t))
			s.fill(t)
			if fault.Keys[0] != kmsg.ListOffsets {
				fault.Group = s.group
			}
			hit := s.Fake.Fault(fault)
			require.NoError(t, s.settle(t, Latest()))
			require.Equal(t, 1, hit.Hits())
			require.Equal(t, map[int32]int64{0: 10, 1: 4, 2: 0}, s.committed(t))
		})
	}
}

func TestMissingAuthorizationIsSaidAtOnceOnFake(t *testing.T) {
	t.Parallel()
	s := newShelf(t, kafkatest.StartFake(t))
	s.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: s.group, Err: kerr.GroupAuthorizationFailed, Count: -1})
	began := time.Now()
	var authorization *kadm.AuthError
	require.ErrorAs(t, s.settle(t, Earliest()), &authorization)
	require.Less(t, time.Since(began), 30*time.Second, "trying again does not help")
}

func TestStartInWords(t *testing.T) {
	t.Parallel()
	require.Equal(t, "unset", Start{}.String())
	require.Equal(t, "earliest", Earliest().String())
	require.Equal(t, "latest", Latest().String())
	require.Equal(t, "2026-03-27T12:00:00Z", At(noon.In(time.FixedZone("", 3600))).String())
}

func TestAddedPartitionStartsAtItsBeginning(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.config.Start = Latest()
	b.confirm(t, 0, order("skipped"))
	b.readClicks(t)
	r := b.start(t)
	eventually(t, func() bool { return len(r.allLives()) == 1 }, "no assignment")
	added, err := b.Admin.CreatePartitions(t.Context(), 1, b.config.Topic)
	require.NoError(t, err)
	require.NoError(t, added.Error())
	client := b.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(10*time.Millisecond))
	eventually(t, func() bool {
		client.ForceMetadataRefresh()
		return client.ProduceSync(t.Context(), &kgo.Record{Topic: b.config.Topic, Partition: 1, Value: []byte(order("first"))}).FirstErr() == nil
	}, "the added partition takes no order")
	r.halt(t)
	// A restart finds a group with an offset for one partition only, as it would after a scale-out.
	b.start(t)
	b.requireCommitted(t, 1, 1)
	require.Equal(t, 1, b.cj.attemptsOf("first"))
	require.Zero(t, b.cj.attemptsOf("skipped"))
}

// A stop may come while the start is still being settled. There is nothing to drain then, and nothing has failed.
func TestStopDuringTheStartIsGracefulOnFake(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]kmsg.Key{"Offsets": kmsg.OffsetFetch, "Ends": kmsg.ListOffsets, "Settling": kmsg.OffsetCommit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.StartFake(t), 1)
			t.Cleanup(b.table.Close)
			asked, goOn := make(chan struct{}), make(chan struct{})
			b.Fake.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
				close(asked)
				b.Fake.SleepControl(func() { <-goOn })
				return nil, nil, false
			})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- New(b.config).Run(ctx) }()
			<-asked
			stop()
			require.NoError(t, <-ended)
			close(goOn)
		})
	}
}
