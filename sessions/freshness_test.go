package sessions

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// Every round produces a click or an erasure and asks at once: the verdict must know it, hit or miss.
func TestGateOpensOnlyAfterEverythingProducedBeforeIt(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 4)
	table := b.open(t)
	var shoppers sync.WaitGroup
	for shopper := range 8 {
		shoppers.Go(func() {
			client, err := kgo.NewClient(append(b.Options(), kgo.ProducerLinger(0))...)
			if err != nil {
				t.Error(err)
				return
			}
			defer client.Close()
			session := fmt.Sprintf("s-%d", shopper)
			for round := range 25 {
				record, want, reason := b.click(session, id(round), time.Duration(1000-round)*time.Second), id(round), schema.Reason("")
				if round%5 == 4 {
					record, want, reason = b.tombstone(session), "", schema.ReasonClickErased
				}
				if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
					t.Error(err)
					return
				}
				gate := table.Gate()
				if err := gate.Wait(t.Context(), 0); err != nil {
					t.Error(err)
					return
				}
				if click, miss, err := table.Lookup(0, session, noon); err != nil || click.ID != want || miss != reason {
					t.Errorf("%s round %d: got %q %q, want %q %q", session, round, click.ID, miss, want, reason)
					return
				}
			}
		})
	}
	shoppers.Wait()
}

func TestEmptyTopicOpensTheGate(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 3)
	table := b.open(t)
	requireVerdict(t, table, "s", "", schema.ReasonNoClick)
	requireReady(t, table)
}

func TestSessionIsNeeded(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	_, reason, err := b.open(t).Lookup(0, "", noon)
	require.NoError(t, err)
	require.Equal(t, schema.ReasonNoSession, reason)
}

// slowly makes the decoder stop at each click until the test lets it go on.
func (b *bundle) slowly() (decoding chan string, goOn chan struct{}) {
	decoding, goOn = make(chan string, 100), make(chan struct{})
	decode := b.decode
	b.decode = func(ctx context.Context, value []byte, at time.Time) (schema.Click, error) {
		decoding <- string(value)
		select {
		case <-goOn:
		case <-ctx.Done():
			return schema.Click{}, ctx.Err()
		}
		return decode(ctx, value, at)
	}
	return decoding, goOn
}

func TestSlowReaderHoldsTheGate(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	decoding, goOn := b.slowly()
	table := b.open(t)
	requireOpens(t, table.Gate())
	b.Produce(t, b.click("s-1", "first", time.Hour), b.click("s-2", "second", time.Hour))
	gate := table.Gate()
	request(t, gate)
	require.Equal(t, "first", <-decoding)
	requireShut(t, gate)
	goOn <- struct{}{}
	require.Equal(t, "second", <-decoding)
	requireShut(t, gate)
	close(goOn)
	requireOpens(t, gate)
	click, miss, _ := table.Lookup(0, "s-2", noon)
	require.Empty(t, miss)
	require.Equal(t, "second", click.ID)
}

func TestNotReadyUntilRestored(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	decoding, goOn := b.slowly()
	b.Produce(t, b.click("s-1", "first", time.Hour), b.click("s-1", "second", time.Minute))
	table := b.open(t)
	require.ErrorContains(t, table.Ready(), "restoring clicks from topic "+b.topic)
	<-decoding
	requireUnready(t, table, "2 records to go")
	close(goOn)
	requireReady(t, table)
	requireVerdict(t, table, "s-1", "second", "")
}

func TestAddedPartitionIsReadWithoutARestart(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	table := b.open(t)
	requireOpens(t, table.Gate())
	added, err := b.Admin.CreatePartitions(t.Context(), 2, b.topic)
	require.NoError(t, err)
	require.NoError(t, added.Error())
	b.produceTo(t, 2, b.click("s", "added", time.Hour))
	requireVerdict(t, table, "s", "added", "")
}

// produceTo writes the record into the partition, as soon as Kafka says that there is one.
func (b *bundle) produceTo(t *testing.T, partition int32, record *kgo.Record) {
	t.Helper()
	record.Partition = partition
	client := b.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(10*time.Millisecond))
	require.Eventually(t, func() bool {
		client.ForceMetadataRefresh()
		again := *record
		return client.ProduceSync(t.Context(), &again).FirstErr() == nil
	}, long, 10*time.Millisecond)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	_, goOn := b.slowly()
	defer close(goOn)
	b.Produce(t, b.click("s-1", "first", time.Hour))
	table := b.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	gate := table.Gate()
	go func() { waited <- gate.Wait(ctx, 0) }()
	cancel()
	require.ErrorIs(t, <-waited, context.Canceled)
}

func TestRunEndsWithoutAnErrorAndLeavesNothing(t *testing.T) {
	b := setup(t, kafkatest.Start(t), 1)
	before := goleak.IgnoreCurrent()
	table, err := Open(b.config(), NewMemory())
	require.NoError(t, err)
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	require.NoError(t, table.Run(expired))
	table.Close()
	goleak.VerifyNone(t, before)
}

// A thousand gates that wait while one listing is being made share the next one.
func TestGatesShareOneListingOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	table := b.open(t)
	requireOpens(t, table.Gate())
	held, release := make(chan struct{}), make(chan struct{})
	var listings atomic.Int32
	b.Fake.ControlKey(kmsg.ListOffsets.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake.KeepControl()
		if listings.Add(1) == 1 {
			close(held)
			b.Fake.SleepControl(func() { <-release })
		}
		return nil, nil, false
	})
	first := table.Gate()
	request(t, first)
	<-held
	gates := make([]*Gate, 1000)
	for i := range gates {
		gates[i] = table.Gate()
		request(t, gates[i])
	}
	close(release)
	requireOpens(t, first)
	for _, gate := range gates {
		requireOpens(t, gate)
	}
	require.LessOrEqual(t, listings.Load(), int32(3), "the third may be the table's own")
}

func TestBatchSharesOneListing(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	table := b.open(t)
	gate := table.Gate()
	for range 100 {
		requireOpens(t, gate)
	}
	other := table.Gate()
	requireOpens(t, other)
	require.NotSame(t, gate.listing, other.listing, "a later batch needs a listing of its own")
}
