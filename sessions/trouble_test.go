package sessions

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
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

// wire is a network between a client and its brokers that can be cut.
type wire struct {
	mu          sync.Mutex
	down        bool
	connections []net.Conn
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, errors.New("the wire is cut")
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		w.connections = append(w.connections, connection)
	}
	return connection, err
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, connection := range w.connections {
		connection.Close()
	}
	w.connections = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

func TestBrokersAwayDelayTheGateAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	w := &wire{}
	table := b.open(t, kgo.Dialer(w.dial), kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }))
	requireReady(t, table)
	w.cut()
	b.Produce(t, b.click("s", "whileaway", time.Hour))
	gate := table.Gate()
	requireShut(t, gate)
	w.mend()
	requireOpens(t, gate)
	click, _, _ := table.Lookup(0, "s", noon)
	require.Equal(t, "whileaway", click.ID)
	requireReady(t, table)
}

func TestListingThatFailsIsMadeAgainOnFake(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]kmsg.Key{"ListOffsets": kmsg.ListOffsets, "Metadata": kmsg.Metadata} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.StartFake(t), 1)
			table := b.open(t)
			requireReady(t, table)
			b.Produce(t, b.click("s", "behind", time.Hour))
			fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: b.topic, Err: kerr.UnknownServerError, Count: -1})
			gate := table.Gate()
			requireShut(t, gate)
			requireUnready(t, table, "listing the end of the click topic")
			fault.Remove()
			requireOpens(t, gate)
			requireVerdict(t, table, "s", "behind", "")
			require.NoError(t, table.Ready())
		})
	}
}

// A fetch that fails for good is trouble at once, and over when the table has read up to the end again, even
// if no record comes that would show it.
func TestReadingTroubleShowsAndHealsOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	table := b.open(t)
	requireReady(t, table)
	fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: b.topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
	requireUnready(t, table, "reading clicks from "+b.topic+"[0]: TOPIC_AUTHORIZATION_FAILED")
	fault.Remove()
	requireOpens(t, table.Gate())
	requireReady(t, table)
	require.Equal(t, 1, strings.Count(b.log.String(), "click table cannot read"), "logged once, not at every poll")
}

// Reading can stand still without an error: the client goes on trying by itself. Only the time shows it.
func TestReaderThatStandsStillTurnsUnreadyOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, kafkatest.StartVirtual(t), 1)
		_, goOn := b.slowly()
		table := b.open(t)
		requireOpens(t, table.Gate())
		synctest.Wait()
		require.NoError(t, table.Ready())
		b.Produce(t, b.click("s", "unread", time.Hour))
		gate := table.Gate()
		request(t, gate)
		time.Sleep(lasting - time.Second)
		require.NoError(t, table.Ready(), "a short trouble heals by itself")
		time.Sleep(2 * time.Second)
		require.ErrorContains(t, table.Ready(), "orders wait for clicks")
		close(goOn)
		requireOpens(t, gate)
		synctest.Wait()
		require.NoError(t, table.Ready())
	})
}

// A listing that is never answered gives no error either.
func TestListingThatHangsTurnsUnreadyOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, kafkatest.StartVirtual(t), 1)
		table := b.open(t)
		requireOpens(t, table.Gate())
		fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition, Count: -1})
		gate := table.Gate()
		request(t, gate)
		time.Sleep(lasting + time.Second)
		require.Error(t, table.Ready())
		fault.Remove()
		requireOpens(t, gate)
		synctest.Wait()
		require.NoError(t, table.Ready())
	})
}

func TestRegistryOutageStallsAndHeals(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		err    error
		id     string
		reason schema.Reason
	}{
		"TheClickIsGood": {nil, "good", ""},
		// What ends the outage need not be a click.
		"TheClickIsMalformed": {&schema.InvalidError{Reason: schema.ReasonClickInvalid, Err: errors.New("unknown schema")}, "", schema.ReasonClickInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.Start(t), 1)
			decode := b.decode
			var away atomic.Bool
			b.decode = func(ctx context.Context, value []byte, at time.Time) (schema.Click, error) {
				switch {
				case away.Load():
					return schema.Click{}, schema.ErrUnavailable
				case answer.err != nil:
					return schema.Click{}, answer.err
				}
				return decode(ctx, value, at)
			}
			table := b.open(t)
			requireReady(t, table)
			away.Store(true)
			b.Produce(t, b.click("s", "good", time.Hour))
			gate := table.Gate()
			requireShut(t, gate)
			requireUnready(t, table, schema.ErrUnavailable.Error())
			away.Store(false)
			requireOpens(t, gate)
			requireVerdict(t, table, "s", answer.id, answer.reason)
			requireReady(t, table)
		})
	}
}

func TestMalformedClicksAreCountedAndLoggedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	table := b.open(t)
	b.Produce(t,
		b.click("s-1", "good", time.Hour),
		b.click("s-1", "not alphanumeric", time.Minute),
		b.click("s-2", "p@ssword", time.Minute),
		b.click("s-3", "", time.Minute),
		b.click("", "keyless", time.Hour), b.tombstone(""),
		b.tombstone("s-4"),
	)
	requireVerdict(t, table, "s-1", "good", "")
	requireVerdict(t, table, "s-2", "", schema.ReasonClickInvalid)
	requireVerdict(t, table, "s-3", "", schema.ReasonClickInvalid)
	requireVerdict(t, table, "s-4", "", schema.ReasonClickErased)
	require.NoError(t, table.Ready())
	log := b.log.String()
	require.Equal(t, 1, strings.Count(log, "malformed click"))
	require.NotContains(t, log, "not alphanumeric")
	require.NoError(t, testutil.CollectAndCompare(table, strings.NewReader(`
# HELP cjrelay_clicks_total Records read from the click topic: applied, erased (a tombstone) or malformed (skipped).
# TYPE cjrelay_clicks_total counter
cjrelay_clicks_total{result="applied"} 1
cjrelay_clicks_total{result="erased"} 1
cjrelay_clicks_total{result="malformed"} 5
# HELP cjrelay_click_table_sessions Sessions that the click table knows.
# TYPE cjrelay_click_table_sessions gauge
cjrelay_click_table_sessions 4
`), "cjrelay_clicks_total", "cjrelay_click_table_sessions"))
}

func TestSeriesExistBeforeRun(t *testing.T) {
	t.Parallel()
	table, err := Open(Config{Topic: "cjevent", Client: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}}, NewMemory())
	require.NoError(t, err)
	defer table.Close()
	require.NoError(t, testutil.CollectAndCompare(table, strings.NewReader(`
# HELP cjrelay_click_table_behind Records of the click topic that waiting orders need and the table has not read.
# TYPE cjrelay_click_table_behind gauge
cjrelay_click_table_behind 0
# HELP cjrelay_click_table_sessions Sessions that the click table knows.
# TYPE cjrelay_click_table_sessions gauge
cjrelay_click_table_sessions 0
# HELP cjrelay_click_table_bytes Bytes that the click table takes on disk.
# TYPE cjrelay_click_table_bytes gauge
cjrelay_click_table_bytes 0
# HELP cjrelay_clicks_misplaced_total Clicks that do not lie in the partition where clicks.partitioner puts their session; counted where the join is copartitioned.
# TYPE cjrelay_clicks_misplaced_total counter
cjrelay_clicks_misplaced_total 0
# HELP cjrelay_clicks_total Records read from the click topic: applied, erased (a tombstone) or malformed (skipped).
# TYPE cjrelay_clicks_total counter
cjrelay_clicks_total{result="applied"} 0
cjrelay_clicks_total{result="erased"} 0
cjrelay_clicks_total{result="malformed"} 0
`)))
	problems, err := testutil.CollectAndLint(table)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestTopicMadeAnewGivesNoVerdict(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.Produce(t, b.click("s", "old", time.Hour))
	table := b.open(t)
	requireVerdict(t, table, "s", "old", "")
	requireReady(t, table)
	deleted, err := b.Admin.DeleteTopics(t.Context(), b.topic)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
	forever := "-1"
	requireShut(t, table.Gate())
	requireUnready(t, table, "UNKNOWN_TOPIC_OR_PARTITION")
	require.Eventually(t, func() bool {
		made, err := b.Admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"retention.ms": &forever}, b.topic)
		return err == nil && made.Err == nil
	}, long, 20*time.Millisecond)
	for range 3 {
		b.Produce(t, b.click("s", "new", time.Hour))
	}
	requireShut(t, table.Gate())
	requireUnready(t, table, "deleted and made anew: restart")
	requireShut(t, table.Gate())
	click, _, _ := table.Lookup(0, "s", noon)
	require.Equal(t, "old", click.ID, "the new topic's clicks must not be mixed with the old one's")
	requireVerdict(t, b.open(t), "s", "new", "")
}

func TestMissingTopicIsWaitedForAndSaidOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.topic = "not.there"
	table := b.open(t)
	requireUnready(t, table, "UNKNOWN_TOPIC_OR_PARTITION")
	require.NoError(t, b.Fake.CreateTopic(b.topic, 2, nil))
	requireVerdict(t, table, "s", "", schema.ReasonNoClick)
	requireReady(t, table)
}

// A leader that lost records must not open the gate for clicks that the table has not seen.
func TestEndBeforeWhatWasReadKeepsTheGateShutOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.Produce(t, b.click("s", "one", time.Hour), b.click("s", "two", time.Minute))
	table := b.open(t)
	requireReady(t, table)
	var shorter atomic.Bool
	shorter.Store(true)
	b.Fake.ControlKey(kmsg.ListOffsets.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake.KeepControl()
		if !shorter.Load() {
			return nil, nil, false
		}
		asked := request.(*kmsg.ListOffsetsRequest)
		answer := asked.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = b.topic
		partition := kmsg.NewListOffsetsResponseTopicPartition()
		partition.Offset = 1
		topic.Partitions = append(topic.Partitions, partition)
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
	gate := table.Gate()
	requireShut(t, gate)
	requireUnready(t, table, "ends at 1, before offset 2 that was read already")
	shorter.Store(false)
	requireOpens(t, gate)
}

// A topic that was made anew cannot be read either: that must not hide what a person has to do about it.
func TestTopicThatDoesNotFitIsSaidFirst(t *testing.T) {
	t.Parallel()
	var now troubles
	unread, unfit := errors.New("UNKNOWN_TOPIC_ID"), unfitError{errors.New("made anew")}
	now.set(fetching, unread)
	require.Equal(t, unread, now.first())
	now.set(fitting, unfit)
	require.Equal(t, unfit, now.first())
	now.set(fitting, nil)
	require.Equal(t, unread, now.first())
}
