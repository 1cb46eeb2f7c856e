package letters_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/letters"
)

func TestARedrivenOrderIsTheOldOneWithItsProvenance(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t, dead{offset: 7, reason: "rejected", key: "key", value: order("ORD-7"), own: []kgo.RecordHeader{header("trace", "1"), header("trace", "2")},
		redrives: 1, origin: p.orders + "/0/3", in: 1})
	gone, refused, err := p.redriver().Run(t.Context(), p.waiting(t))
	require.NoError(t, err)
	require.Empty(t, refused)
	require.Len(t, gone, 1)

	records := p.Read(t, p.orders)
	require.Len(t, records, 1)
	again := records[0]
	require.Equal(t, "key", string(again.Key))
	require.Equal(t, order("ORD-7"), string(again.Value))
	require.EqualValues(t, 2, again.Partition, "where it was")
	require.Equal(t, []kgo.RecordHeader{header("trace", "1"), header("trace", "2"), header("cjrelay-redrives", "2"),
		header("cjrelay-redriven-from", p.dlq+"/1/0"), header("cjrelay-origin", p.orders+"/0/3")}, again.Headers)

	require.Empty(t, p.waiting(t))
	all := p.box(t).Choose(letters.Selection{Redriven: true})
	require.Len(t, all, 1)
	require.Equal(t, letters.Place{Topic: p.orders, Partition: 2, Offset: again.Offset}, all[0].Redriven.To)
	require.Equal(t, gone[0].Redriven, all[0].Redriven)
}

func TestEachLetterGoesOnce(t *testing.T) {
	t.Parallel()
	const n = 1200
	p := open(t, kafkatest.Start(t), nil)
	all := make([]dead, n)
	for i := range all {
		all[i] = dead{offset: int64(i), reason: "parked", value: order(fmt.Sprint("ORD-", i)), in: int32(i % 2)}
	}
	p.die(t, all...)
	chosen := p.waiting(t)
	require.Len(t, chosen, n)

	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	first := p.redriver()
	first.Progress = func(int) { interrupt() }
	gone, _, err := first.Run(ctx, chosen)
	require.ErrorIs(t, err, context.Canceled)
	require.NotEmpty(t, gone)
	require.Less(t, len(gone), n)

	// It goes on with what it was asked for the first time: what went then is known.
	rest, refused, err := p.redriver().Run(t.Context(), chosen)
	require.NoError(t, err)
	require.Len(t, rest, n-len(gone))
	require.Len(t, refused, len(gone))
	require.Contains(t, refused[0].Why, "was sent again at ")
	require.Empty(t, p.waiting(t))
	times := map[string]int{}
	for _, r := range p.Read(t, p.orders) {
		times[headersOf(r)["cjrelay-redriven-from"]]++
	}
	require.Len(t, times, n)
	require.Equal(t, 1, slices.Max(slices.Collect(maps.Values(times))))
}

// A run that dies between writing and committing has sent nothing, and stands in nobody's way.
func TestARunThatDiedIsAborted(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t, dead{offset: 7, reason: "parked", value: order("ORD-7")})
	dying := p.Client(t, kgo.TransactionalID("cjrelay-redrive."+p.dlq), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, dying.BeginTransaction())
	note := p.letter(dead{offset: 0, reason: "redriven"})
	note.Headers = append(note.Headers, header("cjrelay-letter", p.dlq+"/0/0"))
	require.NoError(t, dying.ProduceSync(t.Context(), &kgo.Record{Topic: p.orders, Partition: 2, Value: []byte(order("ORD-7"))}, note).FirstErr())

	gone, refused, err := p.redriver().Run(t.Context(), p.waiting(t))
	require.NoError(t, err)
	require.Empty(t, refused)
	require.Len(t, gone, 1)
	require.Len(t, p.Read(t, p.orders), 1)
	require.Error(t, dying.EndTransaction(t.Context(), kgo.TryCommit))
}

func TestAnotherRunEndsThisOne(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	all := make([]dead, 1200)
	for i := range all {
		all[i] = dead{offset: int64(i), reason: "parked", value: order(fmt.Sprint("ORD-", i))}
	}
	p.die(t, all...)
	chosen := p.waiting(t)
	first := p.redriver()
	first.Progress = func(int) {
		_, _, err := p.redriver().Run(t.Context(), chosen)
		require.NoError(t, err)
	}
	_, _, err := first.Run(t.Context(), chosen)
	require.ErrorIs(t, err, letters.ErrFenced)
	require.Len(t, p.Read(t, p.orders), len(all))
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t,
		dead{offset: 0, reason: "rejected", value: order("ORD-0"), redrives: letters.MaxRedrives - 1, origin: p.orders + "/0/3"},
		dead{offset: 1, reason: "rejected", value: order("ORD-1"), redrives: letters.MaxRedrives, origin: p.orders + "/0/3"},
		dead{offset: 2, reason: "too_large"},
	)
	chosen := p.waiting(t)
	may, refused := letters.Sort(chosen, p.orders, false)
	require.Equal(t, []letters.Letter{chosen[0]}, may)
	require.Equal(t, chosen[1], refused[0].Letter)
	require.Contains(t, refused[0].Why, "3 times")
	require.Contains(t, refused[0].Why, "--force")
	require.Contains(t, refused[1].Why, "--partitions 2 --to-offset 2 --until-offset 3")

	may, refused = letters.Sort(chosen, p.orders, true)
	require.Equal(t, chosen[:2], may)
	require.Len(t, refused, 1)

	may, refused = letters.Sort(chosen[:1], "other", true)
	require.Empty(t, may)
	require.Contains(t, refused[0].Why, "orders.topic is other")
}

// The console chooses letters by their places alone: the run itself keeps an order from going round for ever.
func TestARunSendsWhatCameBackTooOftenOnlyWithForce(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t, dead{offset: 0, reason: "rejected", value: order("ORD-0"), redrives: letters.MaxRedrives, origin: p.orders + "/0/3"})
	chosen := []letters.Letter{{Place: p.waiting(t)[0].Place}}
	gone, refused, err := p.redriver().Run(t.Context(), chosen)
	require.NoError(t, err)
	require.Empty(t, gone)
	require.Len(t, refused, 1)
	require.Contains(t, refused[0].Why, "came back each time")
	require.Empty(t, p.Read(t, p.orders))

	forced := p.redriver()
	forced.Force = true
	gone, _, err = forced.Run(t.Context(), chosen)
	require.NoError(t, err)
	require.Len(t, gone, 1)
}

// The headers that tell where an order comes from may be what is too much for its topic.
func TestAnOrderThatDoesNotFitWithItsProvenanceHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), map[string]string{"max.message.bytes": "2000"})
	p.die(t,
		dead{offset: 0, reason: "parked", value: "small"},
		dead{offset: 1, reason: "parked", value: strings.Repeat("x", 1900)},
		dead{offset: 2, reason: "parked", value: "small too"},
	)
	gone, refused, err := p.redriver().Run(t.Context(), p.waiting(t))
	require.NoError(t, err)
	require.Len(t, gone, 2)
	require.Len(t, refused, 1)
	require.Contains(t, refused[0].Why, "raise max.message.bytes")
	require.Len(t, p.Read(t, p.orders), 2)
	require.Len(t, p.waiting(t), 1)
}

// What another run commits after this one has looked, this one would send too: nobody may commit any more by then.
func TestARunLooksOnlyWhenItIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.StartFake(t), nil)
	p.die(t, dead{offset: 0, reason: "parked", value: order("ORD-0")})
	chosen := p.waiting(t)
	var begun, lookedBefore atomic.Bool
	p.Fake.Control(func(request kmsg.Request) (kmsg.Response, error, bool) {
		p.Fake.KeepControl()
		switch request.(type) {
		case *kmsg.InitProducerIDRequest:
			begun.Store(true)
		case *kmsg.FetchRequest:
			lookedBefore.CompareAndSwap(false, !begun.Load())
		}
		return nil, nil, false
	})
	gone, _, err := p.redriver().Run(t.Context(), chosen)
	require.NoError(t, err)
	require.Len(t, gone, 1)
	require.True(t, begun.Load())
	require.False(t, lookedBefore.Load())
}

func TestLettersBetweenTheChosenStay(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	for i := range 3 {
		p.die(t, dead{offset: int64(i), reason: "parked", value: order(fmt.Sprint("ORD-", i))})
	}
	gone, _, err := p.redriver().Run(t.Context(), p.box(t).Choose(letters.Selection{Named: []string{"ORD-0", "ORD-2"}}))
	require.NoError(t, err)
	require.Len(t, gone, 2)
	require.Len(t, p.Read(t, p.orders), 2)
	require.Equal(t, "ORD-1", ids(p.waiting(t)))
}

// Half a transaction would be no use: what has begun when the run is told to stop ends well.
func TestAnInterruptedRunEndsItsTransaction(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t, dead{offset: 0, reason: "parked", value: order("ORD-0")})
	ctx, interrupt := context.WithCancel(t.Context())
	r := p.redriver()
	r.Home = func(_ context.Context, order *kgo.Record) int32 {
		interrupt()
		return order.Partition
	}
	gone, _, err := r.Run(ctx, p.waiting(t))
	require.NoError(t, err)
	require.Len(t, gone, 1)
	require.Len(t, p.Read(t, p.orders), 1)
	require.Empty(t, p.waiting(t))
}

// What the brokers must write for nothing if they die is bounded by bytes, too.
func TestATransactionIsOfAFewMegabytes(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	for i := range 6 {
		p.die(t, dead{offset: int64(i), reason: "parked", value: strings.Repeat("x", 900_000)})
	}
	r := p.redriver()
	var after []int
	r.Progress = func(done int) { after = append(after, done) }
	gone, _, err := r.Run(t.Context(), p.waiting(t))
	require.NoError(t, err)
	require.Len(t, gone, 6)
	require.Equal(t, []int{5, 6}, after)
}

// An order that its topic took once is not too large for it now, whatever a Kafka client's own limit is.
func TestALargeOrderGoesWhereItsTopicTakesIt(t *testing.T) {
	t.Parallel()
	large := map[string]string{"max.message.bytes": "3000000"}
	p := open(t, kafkatest.Start(t), large)
	p.dlq = p.Topic(t, "large", 1, large)
	letter := p.letter(dead{offset: 0, reason: "parked", value: strings.Repeat("x", 2_000_000)})
	require.NoError(t, p.Client(t, kgo.ProducerBatchMaxBytes(3_000_000)).ProduceSync(t.Context(), letter).FirstErr())
	gone, refused, err := p.redriver().Run(t.Context(), p.waiting(t))
	require.NoError(t, err)
	require.Empty(t, refused)
	require.Len(t, gone, 1)
}

// Whoever mended an order first changed what the platform had said: that stays known however often it is sent again.
func TestAMendedOrderStaysKnownAsMended(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	mended := p.letter(dead{offset: 7, reason: "rejected", value: order("ORD-7"), redrives: 1, origin: p.orders + "/0/3"})
	mended.Headers = append(mended.Headers, header("cjrelay-mended", "the hash of what it was"))
	p.Produce(t, mended)
	_, _, err := p.redriver().Run(t.Context(), p.waiting(t))
	require.NoError(t, err)
	require.Equal(t, "the hash of what it was", headersOf(p.Read(t, p.orders)[0])["cjrelay-mended"])
}

func TestHomeSaysThePartition(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t, dead{offset: 0, reason: "wrong_partition", value: order("ORD-0")})
	r := p.redriver()
	r.Home = func(_ context.Context, order *kgo.Record) int32 { return (order.Partition + 1) % 3 }
	_, _, err := r.Run(t.Context(), p.waiting(t))
	require.NoError(t, err)
	require.EqualValues(t, 0, p.Read(t, p.orders)[0].Partition)
}
