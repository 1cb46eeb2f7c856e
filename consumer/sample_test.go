package consumer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
)

// still is a consumer with one partition and no Kafka.
func still(t *testing.T) (*Consumer, *life) {
	t.Helper()
	b := &bundle{log: &buffer{}}
	c := New(Config{Topic: "orders", MaxPending: 10, MaxPendingPerPartition: 10, Breaker: breaker.New(breaker.Config{}), Log: b.logger()})
	c.pauses = newPauses(idle(t), "orders")
	l := newLife(c, 0)
	t.Cleanup(l.end)
	c.lives[0] = l
	c.pauses.begin(l)
	return c, l
}

func (c *Consumer) stalls(now time.Time) int {
	c.lookForStalls(now)
	return c.stalled
}

func TestPartitionWithWorkAndNoProgressIsStalled(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	l.noteCommitted(position{offset: 5})
	c.ends[0] = 8
	now := time.Now()
	require.Zero(t, c.stalls(now.Add(stallAfter-time.Second)))
	require.Equal(t, 1, c.stalls(now.Add(stallAfter+time.Minute)))
	l.touch(now.Add(stallAfter + 2*time.Minute)) // progress
	require.Zero(t, c.stalls(now.Add(stallAfter+2*time.Minute)))
}

// Where the rate is low, and there are many partitions, each waits long for its next turn.
func TestTheRatesTurnIsNoStall(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	c.config.Breaker = breaker.New(breaker.Config{Rate: 0.1})
	l.noteCommitted(position{offset: 5})
	c.ends[0] = 8
	for range 60 {
		c.bounds.add(1)
	}
	now := time.Now()
	require.Zero(t, c.stalls(now.Add(stallAfter+9*time.Minute)))
	require.Equal(t, 1, c.stalls(now.Add(stallAfter+11*time.Minute)))
}

// A quiet night must not make the first order of the morning look stuck.
func TestTimeToMakeProgressStartsWithTheWork(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	l.noteCommitted(position{offset: 5})
	c.ends[0] = 5
	now := time.Now()
	require.Zero(t, c.stalls(now.Add(8*time.Hour)))
	c.ends[0] = 6
	require.Zero(t, c.stalls(now.Add(8*time.Hour+2*time.Second)))
	require.Equal(t, 1, c.stalls(now.Add(8*time.Hour+stallAfter+time.Minute)))
}

func TestTimeToMakeProgressStartsWhenThePauseEnds(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	l.noteCommitted(position{offset: 5})
	c.ends[0] = 9
	now := time.Now()
	c.pauses.all(PauseBreaker, true)
	require.Zero(t, c.stalls(now.Add(3*time.Hour)))
	c.pauses.all(PauseBreaker, false)
	require.Zero(t, c.stalls(now.Add(3*time.Hour+2*time.Second)))
	require.Equal(t, 1, c.stalls(now.Add(3*time.Hour+stallAfter+time.Minute)))
}

// A partition that is full of orders that do not end pauses by itself. That is no excuse.
func TestBackPressureDoesNotHideAStall(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	l.tracker.admit(0)
	c.pauses.pause(l, PauseBackPressure)
	require.Equal(t, 1, c.stalls(time.Now().Add(stallAfter+time.Minute)))
}

func TestLagOfAPartition(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		standing
		work, commit int64
	}{
		"NothingKnown":             {standing{Committed: -1, Next: -1, End: -1}, 0, 0},
		"EndUnknown":               {standing{Committed: 3, Next: 5, Pending: 2, End: -1}, 2, 2},
		"AllDone":                  {standing{Committed: 9, Next: 9, End: 9}, 0, 0},
		"DoneButNotCommitted":      {standing{Committed: 4, Next: 9, End: 9}, 0, 5},
		"InMemoryAndNotRead":       {standing{Committed: 4, Next: 7, Pending: 2, End: 10}, 5, 6},
		"OneStuckOthersDoneBehind": {standing{Committed: 4, Next: 10, Pending: 1, End: 10}, 1, 6},
		"ReadPastTheSampledEnd":    {standing{Committed: 12, Next: 12, End: 10}, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.work, test.workLag())
			require.Equal(t, test.commit, test.commitLag())
		})
	}
}

// A consumer that is alive but stuck says so itself: here CJ never answers one partition's orders.
func TestStallTurnsUnreadyAndHealsOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		goOn := make(chan struct{})
		b.cj.answers(func(ctx context.Context, _ string) postback.Answer { return after(ctx, goOn) })
		b.confirm(t, 0, b.pastOrders(3)...)
		r := b.start(t)
		time.Sleep(stallAfter - 10*time.Second)
		require.NoError(t, r.check(t, "progress"))
		time.Sleep(20 * time.Second)
		require.ErrorContains(t, r.check(t, "progress"), "partitions that have orders and make no progress: 1")
		close(goOn)
		b.requireCommitted(t, 0, 3)
		time.Sleep(2 * sampleEvery)
		require.NoError(t, r.check(t, "progress"))
		r.halt(t)
	})
}

// named are the series that dashboards and alerts may rely on from the start.
const named = `
cjrelay_assigned_partitions 0
cjrelay_attempts_total{class="acknowledged"} 0
cjrelay_attempts_total{class="cancelled"} 0
cjrelay_attempts_total{class="rejected"} 0
cjrelay_attempts_total{class="retry"} 0
cjrelay_attempts_total{class="setup"} 0
cjrelay_breaker_state 0
cjrelay_carried_clicks_illegal_total 0
cjrelay_commit_lag 0
cjrelay_commits_total{result="failed"} 0
cjrelay_commits_total{result="ok"} 0
cjrelay_lost_to_retention_total 0
cjrelay_oldest_unacked_seconds 0
cjrelay_orders_retention_seconds +Inf
cjrelay_outcomes_total{outcome="acknowledged",reason="carried"} 0
cjrelay_outcomes_total{outcome="acknowledged",reason="joined"} 0
cjrelay_outcomes_total{outcome="dead_letter",reason="future"} 0
cjrelay_outcomes_total{outcome="dead_letter",reason="invalid_order"} 0
cjrelay_outcomes_total{outcome="dead_letter",reason="malformed"} 0
cjrelay_outcomes_total{outcome="dead_letter",reason="rejected"} 0
cjrelay_outcomes_total{outcome="dead_letter",reason="unbuildable"} 0
cjrelay_outcomes_total{outcome="dead_letter",reason="unknown_schema"} 0
cjrelay_outcomes_total{outcome="unattributed",reason="click_after_order"} 0
cjrelay_outcomes_total{outcome="unattributed",reason="click_erased"} 0
cjrelay_outcomes_total{outcome="unattributed",reason="click_expired"} 0
cjrelay_outcomes_total{outcome="unattributed",reason="click_invalid"} 0
cjrelay_outcomes_total{outcome="unattributed",reason="no_click"} 0
cjrelay_outcomes_total{outcome="unattributed",reason="no_consent"} 0
cjrelay_outcomes_total{outcome="unattributed",reason="no_session"} 0
cjrelay_paused{reason="back_pressure"} 0
cjrelay_paused{reason="breaker"} 0
cjrelay_paused{reason="freshness"} 0
cjrelay_paused{reason="offsets"} 0
cjrelay_paused{reason="registry"} 0
cjrelay_paused{reason="retry_after"} 0
cjrelay_pending_orders 0
cjrelay_stalled_partitions 0
cjrelay_work_lag 0
cjrelay_write_failures_total{topic="dlq"} 0
cjrelay_write_failures_total{topic="outcomes"} 0
`

func TestSeriesExistBeforeRun(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.table.Close()
	b.config.OutcomesTopic, b.config.DeadLetterTopic = "outcomes", "dlq"
	require.Subset(t, series(t, New(b.config)), strings.Split(strings.TrimSpace(named), "\n"))
	problems, err := testutil.CollectAndLint(New(b.config))
	require.NoError(t, err)
	require.Empty(t, problems)
}

// series are the collector's counters and gauges, as the text format has them.
func series(t *testing.T, c *Consumer) []string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	families, err := registry.Gather()
	require.NoError(t, err)
	var lines []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if metric.GetHistogram() != nil {
				continue
			}
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
			}
			name := family.GetName()
			if labels != nil {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			lines = append(lines, fmt.Sprintf("%s %v", name, metric.GetCounter().GetValue()+metric.GetGauge().GetValue()))
		}
	}
	return lines
}

func TestMetricsOfARunningConsumer(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.config.Concurrency = 2
	sending, answer := b.cj.hold()
	old := time.Now().Add(-time.Hour)
	for i := range 5 {
		b.Produce(t, &kgo.Record{Topic: b.config.Topic, Value: []byte(order(fmt.Sprint("ORD-", i))), Timestamp: old})
	}
	r := b.start(t)
	<-sending
	<-sending
	eventually(t, func() bool { lag := r.Lag(); return lag.Work == 5 && lag.Commit == 5 }, "lag %v", r.Lag())
	lines := strings.Join(series(t, r.Consumer), "\n")
	for _, line := range []string{"cjrelay_assigned_partitions 1", "cjrelay_pending_orders 5", "cjrelay_work_lag 5", "cjrelay_commit_lag 5"} {
		require.Contains(t, lines, line)
	}
	require.InDelta(t, time.Hour.Seconds(), time.Since(r.Lag().Oldest).Seconds(), long.Seconds())
	close(answer)
	b.requireCommitted(t, 0, 5)
	eventually(t, func() bool { return r.Lag() == Lag{} }, "lag %v", r.Lag())
	lines = strings.Join(series(t, r.Consumer), "\n")
	for _, line := range []string{`cjrelay_attempts_total{class="acknowledged"} 5`, `cjrelay_outcomes_total{outcome="acknowledged",reason="carried"} 5`,
		"cjrelay_pending_orders 0", "cjrelay_oldest_unacked_seconds 0"} {
		require.Contains(t, lines, line)
	}
}

func TestMetricsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	c.retention.known.Store(int64(time.Hour))
	l.passages[5] = newPassage(l, &kgo.Record{Offset: 5, Timestamp: time.Now().Add(time.Hour)}, nil) // by a clock that is ahead
	l.tracker.admit(5)
	openNow(t, c.config.Breaker)
	c.pauses.all(PauseBreaker, true)
	c.pauses.pause(l, PauseOffsets)
	c.stalled, c.open = 3, map[int32]openTransaction{0: {behind: 7}}
	c.rules[stageBuild].rejected(&suspect{key: "order", redriven: true}, errAway)
	c.rules[stageBuild].stop()
	lines := series(t, c)
	require.Subset(t, lines, []string{
		"cjrelay_breaker_state 2", `cjrelay_paused{reason="breaker"} 1`, `cjrelay_paused{reason="offsets"} 1`, `cjrelay_paused{reason="registry"} 0`,
		"cjrelay_stalled_partitions 3", "cjrelay_open_transaction_offsets 7", "cjrelay_oldest_unacked_seconds 0",
		`cjrelay_held_orders{stage="build"} 1`, `cjrelay_held_orders{stage="cj"} 0`,
	})
}

// What the mass rule holds has a check of its own.
func TestHeldOrdersAreNoStall(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	l.tracker.admit(0)
	l.held.hold(1)
	require.Zero(t, c.stalls(time.Now().Add(time.Hour)))
	l.held.letGo(1)
	require.Zero(t, c.stalls(time.Now().Add(time.Hour)), "its time starts now")
	require.Equal(t, 1, c.stalls(time.Now().Add(time.Hour+stallAfter+time.Second)))
}

func TestEndsThatCannotBeListedAreSaidOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		r := b.start(t)
		time.Sleep(lasting)
		require.NoError(t, r.check(t, "kafka"))
		away := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: b.config.Topic, Err: kerr.UnknownServerError, Count: -1})
		time.Sleep(2 * lasting)
		require.ErrorContains(t, r.check(t, "kafka"), "the brokers do not tell where topic "+b.config.Topic+" ends: ")
		away.Remove()
		time.Sleep(lasting)
		require.NoError(t, r.check(t, "kafka"))
		require.ErrorContains(t, r.unasked(context.DeadlineExceeded), "the brokers do not answer: ")
		r.halt(t)
	})
}

// Partitions come and go, and with them the room of each. The sampling looks for that.
func TestHeldOrdersOfMorePartitionsHaveLessRoomOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		r := b.start(t)
		eventually(t, func() bool { return r.partitions() == 1 }, "no partition")
		l := r.life(0)
		l.mu.Lock()
		l.held.orders = shareOf(b.config, 1).orders - 1
		l.mu.Unlock()
		time.Sleep(2 * sampleEvery)
		require.Empty(t, r.pausedFor())
		r.Consumer.partitions.Store(4)
		time.Sleep(2 * sampleEvery)
		require.True(t, r.pausedFor()[PauseMassRule])
		r.halt(t)
	})
}

// One order that never ends holds the commit, while all others flow.
func TestCommitThatStandsStillIsAStall(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	l.tracker.admit(0)
	now := l.advanced
	l.moved = now.Add(commitStallAfter)
	require.Zero(t, c.stalls(now.Add(commitStallAfter)))
	require.Equal(t, 1, c.stalls(now.Add(commitStallAfter+time.Second)))
}

func TestOldestOrderIsThatOfAllPartitions(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	other := newLife(c, 1)
	t.Cleanup(other.end)
	c.lives[1] = other
	for hour, one := range []*life{l, other} {
		one.tracker.admit(0)
		one.passages[0] = newPassage(one, &kgo.Record{Timestamp: noon.Add(time.Duration(hour) * time.Hour)}, nil)
	}
	require.Equal(t, noon, c.Lag().Oldest)
}
