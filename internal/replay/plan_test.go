package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// stocked is a topic of three partitions: ten records in 0, of which the first two are gone, a minute apart; ten in 1; none in 2.
func stocked(t *testing.T, began time.Time) (k *kafkatest.Cluster, topic, group string) {
	t.Helper()
	k = kafkatest.Start(t)
	topic, group = k.Topic(t, "orders", 3, map[string]string{"retention.ms": "-1"}), kafkatest.Name("live")
	client := k.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 10 {
		for partition := range int32(2) {
			require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte("x"),
				Timestamp: began.Add(time.Duration(i) * time.Minute)}).FirstErr())
		}
	}
	gone := kadm.Offsets{}
	gone.AddOffset(topic, 0, 2, -1)
	_, err := k.Admin.DeleteRecords(t.Context(), gone)
	require.NoError(t, err)
	return k, topic, group
}

// stand commits where a group stands in partitions 0 and 1.
func stand(t *testing.T, k *kafkatest.Cluster, group, topic string, offsets ...int64) {
	t.Helper()
	commits := kadm.Offsets{}
	for partition, offset := range offsets {
		commits.AddOffset(topic, int32(partition), offset, -1)
	}
	require.NoError(t, k.Admin.CommitAllOffsets(t.Context(), group, commits))
}

func TestResolve(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	k, topic, group := stocked(t, began)
	stand(t, k, group, topic, 9)
	type ranges = map[int32]extent.Range
	for name, test := range map[string]struct {
		bounds Bounds
		want   ranges
		capped []int32
	}{
		"Everything":     {Bounds{Scenario: ToEarliest(), UntilOffset: -1}, ranges{0: {From: 2, To: 9}, 1: {From: 0, To: 10}, 2: {}}, []int32{0}},
		"OnePartition":   {Bounds{Scenario: ToEarliest(), UntilOffset: -1, Partitions: []int32{1}}, ranges{0: {From: 10, To: 10}, 1: {From: 0, To: 10}, 2: {}}, nil},
		"FromATime":      {Bounds{Scenario: ToDatetime(began.Add(5 * time.Minute)), UntilOffset: -1}, ranges{0: {From: 5, To: 9}, 1: {From: 5, To: 10}, 2: {}}, []int32{0}},
		"FromTheFuture":  {Bounds{Scenario: ToDatetime(began.Add(time.Hour * 24)), UntilOffset: -1}, ranges{0: {From: 10, To: 10}, 1: {From: 10, To: 10}, 2: {}}, nil},
		"UntilATime":     {Bounds{Scenario: ToOffset(4), UntilTime: began.Add(6 * time.Minute), UntilOffset: -1}, ranges{0: {From: 4, To: 6}, 1: {From: 4, To: 6}, 2: {}}, nil},
		"UntilAnOffset":  {Bounds{Scenario: ToOffset(4), UntilOffset: 5}, ranges{0: {From: 4, To: 5}, 1: {From: 4, To: 5}, 2: {}}, nil},
		"UntilTheFirst":  {Bounds{Scenario: ToOffset(4), UntilOffset: 0}, ranges{0: {From: 4, To: 4}, 1: {From: 4, To: 4}, 2: {}}, nil},
		"BehindTheGroup": {Bounds{Scenario: ToOffset(10), UntilOffset: -1}, ranges{0: {From: 10, To: 10}, 1: {From: 10, To: 10}, 2: {}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := Resolve(t.Context(), k.Admin, topic, group, test.bounds)
			require.NoError(t, err)
			require.Equal(t, test.want, plan.Ranges)
			require.Equal(t, test.capped, plan.Capped)
			require.Equal(t, map[int32]int64{0: 9}, plan.Live)
		})
	}
	_, err := Resolve(t.Context(), k.Admin, topic, group, Bounds{Scenario: ShiftBy(-1), UntilOffset: -1})
	require.ErrorContains(t, err, "no offset for partition 1")
	_, err = Resolve(t.Context(), k.Admin, topic, group, Bounds{Scenario: ToEarliest(), Partitions: []int32{3}})
	require.ErrorContains(t, err, "has no partition 3: it has 3, from 0 on")
	_, err = Resolve(t.Context(), k.Admin, kafkatest.Name("missing"), group, Bounds{Scenario: ToEarliest()})
	require.ErrorContains(t, err, "does not exist")
}

// What an open transaction holds, and all behind it, nobody can read yet: the plan ends before it, since a survey would
// wait for it.
func TestResolveEndsBeforeAnOpenTransaction(t *testing.T) {
	t.Parallel()
	k, topic, group := stocked(t, time.Now().Add(-time.Hour))
	shop := k.Client(t, kgo.TransactionalID(kafkatest.Name("shop")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, shop.BeginTransaction())
	require.NoError(t, shop.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 1, Value: []byte("x")}).FirstErr())
	plan, err := Resolve(t.Context(), k.Admin, topic, group, Bounds{Scenario: ToEarliest(), UntilOffset: -1})
	require.NoError(t, err)
	require.Equal(t, extent.Range{From: 0, To: 10}, plan.Ranges[1])
	require.NoError(t, shop.EndTransaction(t.Context(), kgo.TryAbort))
}

func TestAKeptPlanComesBackFromWhereItsReplayIs(t *testing.T) {
	t.Parallel()
	k, topic, live := stocked(t, time.Now().Add(-time.Hour))
	stand(t, k, live, topic, 9, 10)
	ctx := t.Context()
	group := GroupOf(live, "night")
	plan, err := Resolve(ctx, k.Admin, topic, live, Bounds{Scenario: ToEarliest(), UntilOffset: -1})
	require.NoError(t, err)
	require.NoError(t, Keep(ctx, k.Admin, group, plan, Mode{Again: true}))
	require.ErrorIs(t, Keep(ctx, k.Admin, group, plan, Mode{}), ErrExists)

	kept, mode, err := Kept(ctx, k.Admin, live, "night", topic)
	require.NoError(t, err)
	require.Equal(t, Mode{Again: true}, mode)
	require.Equal(t, plan.Ranges, kept.Ranges)
	require.Equal(t, map[int32]int64{0: 9, 1: 10}, kept.Live)

	stand(t, k, group, topic, 7)
	kept, _, err = Kept(ctx, k.Admin, live, "night", topic)
	require.NoError(t, err)
	require.Equal(t, extent.Range{From: 7, To: 9}, kept.Ranges[0])

	_, _, err = Kept(ctx, k.Admin, live, "day", topic)
	require.EqualError(t, err, `no replay "day" is under way; there are night`)

	// A record's marker, or another one's hand, may have moved it past its end.
	stand(t, k, group, topic, 10)
	kept, _, err = Kept(ctx, k.Admin, live, "night", topic)
	require.NoError(t, err)
	require.Equal(t, extent.Range{From: 9, To: 9}, kept.Ranges[0])

	later := kadm.Offsets{}
	later.Add(kadm.Offset{Topic: topic, Partition: 1, At: 10, LeaderEpoch: -1, Metadata: `{"v":2,"from":0}`})
	require.NoError(t, k.Admin.CommitAllOffsets(ctx, group+".end", later))
	_, _, err = Kept(ctx, k.Admin, live, "night", topic)
	require.ErrorContains(t, err, "was not written by this version of cjrelay: begin a new replay")
	require.NoError(t, Forget(ctx, k.Admin, group))
	require.NoError(t, Forget(ctx, k.Admin, group))
	_, _, err = Kept(ctx, k.Admin, live, "night", topic)
	require.ErrorContains(t, err, "and no other")
}

// Forward it would skip what nobody has sent, and what is not meant stays as it is.
func TestRewindOnlySetsBack(t *testing.T) {
	t.Parallel()
	k, topic, live := stocked(t, time.Now().Add(-time.Hour))
	stand(t, k, live, topic, 9, 4)
	plan, err := Resolve(t.Context(), k.Admin, topic, live, Bounds{Scenario: ToEarliest(), Partitions: []int32{0}, UntilOffset: -1})
	require.NoError(t, err)
	require.NoError(t, Rewind(t.Context(), k.Admin, live, &Survey{Plan: plan}))
	stands, err := offsetsOf(t.Context(), k.Admin, live, topic)
	require.NoError(t, err)
	require.EqualValues(t, 2, stands[0].At)
	require.EqualValues(t, 4, stands[1].At, "it is not meant")
	require.Len(t, stands, 2, "nobody has committed anything of the third")

	plan, err = Resolve(t.Context(), k.Admin, topic, live, Bounds{Scenario: ToOffset(8), UntilOffset: -1})
	require.NoError(t, err)
	require.NoError(t, Rewind(t.Context(), k.Admin, live, &Survey{Plan: plan}))
	stands, err = offsetsOf(t.Context(), k.Admin, live, topic)
	require.NoError(t, err)
	require.EqualValues(t, 2, stands[0].At, "8 lies ahead")
	require.EqualValues(t, 4, stands[1].At)
}

// The two groups of a replay are written one after the other.
func TestAPlanThatWasHalfKeptBeginsAtItsBeginning(t *testing.T) {
	t.Parallel()
	k, topic, live := stocked(t, time.Now().Add(-time.Hour))
	plan, err := Resolve(t.Context(), k.Admin, topic, live, Bounds{Scenario: ToOffset(4), UntilOffset: -1})
	require.NoError(t, err)
	group := GroupOf(live, "night")
	require.NoError(t, Keep(t.Context(), k.Admin, group, plan, Mode{}))
	responses, err := k.Admin.DeleteGroups(t.Context(), group)
	require.NoError(t, err)
	require.NoError(t, responses.Error())
	kept, _, err := Kept(t.Context(), k.Admin, live, "night", topic)
	require.NoError(t, err)
	require.Equal(t, plan.Ranges, kept.Ranges)
	offsets, err := offsetsOf(t.Context(), k.Admin, group, topic)
	require.NoError(t, err)
	require.EqualValues(t, 4, offsets[0].At)
	require.Len(t, offsets, 3)
}
