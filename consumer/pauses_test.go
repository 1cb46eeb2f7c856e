package consumer

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// idle is a client that is connected to nothing: what it pauses can be asked all the same.
func idle(t testing.TB) *kgo.Client {
	client, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// pausedPartitions and pausedTopic ask the client, not our own count.
func pausedPartitions(client *kgo.Client) []int32 { return client.PauseFetchPartitions(nil)["orders"] }
func pausedTopic(client *kgo.Client) bool {
	return slices.Contains(client.PauseFetchTopics(), "orders")
}

func TestReasonsEndEachOnItsOwn(t *testing.T) {
	t.Parallel()
	client := idle(t)
	p := newPauses(client, "orders")
	l := &life{partition: 3}
	p.begin(l)
	p.pause(l, PauseRegistry)
	p.pause(l, PauseRegistry)
	p.pause(l, PauseFreshness)
	require.Equal(t, []int32{3}, pausedPartitions(client))
	p.resume(l, PauseRegistry)
	require.True(t, p.now()[PauseRegistry], "the second order still waits for the registry")
	p.resume(l, PauseRegistry)
	require.Equal(t, map[PauseReason]bool{PauseFreshness: true}, p.now())
	p.resume(l, PauseRegistry)
	p.resume(l, PauseBackPressure)
	require.Equal(t, []int32{3}, pausedPartitions(client), "ending what never began must not end another reason")
	p.resume(l, PauseFreshness)
	require.Empty(t, pausedPartitions(client))
}

func TestProcessReasonsEndEachOnItsOwn(t *testing.T) {
	t.Parallel()
	client := idle(t)
	p := newPauses(client, "orders")
	p.all(PauseBreaker, true)
	p.all(PauseBreaker, true) // it is told each time that anything about the circuit may have changed
	p.all(PauseRetryAfter, true)
	p.all(PauseBreaker, false)
	require.True(t, pausedTopic(client))
	p.all(PauseBreaker, false)
	p.all(PauseRetryAfter, false)
	require.False(t, pausedTopic(client))
}

func TestNothingOutlivesTheAssignment(t *testing.T) {
	t.Parallel()
	client := idle(t)
	p := newPauses(client, "orders")
	first := &life{partition: 1}
	p.begin(first)
	p.pause(first, PauseRegistry)
	p.end(first)
	require.Empty(t, pausedPartitions(client), "the client would keep the partition paused when it comes back")
	second := &life{partition: 1}
	p.begin(second)
	require.Empty(t, p.now())
	p.pause(second, PauseFreshness)

	// What the first life still says is about an assignment that is over.
	p.resume(first, PauseFreshness)
	p.pause(first, PauseRegistry)
	p.end(first)
	require.Equal(t, map[PauseReason]bool{PauseFreshness: true}, p.now())
	require.Equal(t, []int32{1}, pausedPartitions(client))
	p.resume(second, PauseFreshness)
	require.Empty(t, pausedPartitions(client))
}

func TestOnlyOthersExcuseStandingStill(t *testing.T) {
	t.Parallel()
	p := newPauses(idle(t), "orders")
	l := &life{partition: 1}
	p.begin(l)
	require.False(t, p.excuse(1))
	require.False(t, p.excuse(2), "a partition that nobody has")
	p.pause(l, PauseBackPressure)
	require.False(t, p.excuse(1), "back-pressure comes from standing still")
	p.pause(l, PauseRegistry)
	require.True(t, p.excuse(1))
	p.resume(l, PauseRegistry)
	p.all(PauseBreaker, true)
	require.True(t, p.excuse(1))
}

func TestPausesAgreeWithACountOfReasons(t *testing.T) {
	t.Parallel()
	client := idle(t)
	rapid.Check(t, func(rt *rapid.T) {
		p := newPauses(client, "orders")
		lives := map[int32]*life{}
		counts := map[int32]map[PauseReason]int{}
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			partition := rapid.Int32Range(0, 2).Draw(rt, "partition")
			reason := rapid.SampledFrom([]PauseReason{PauseRegistry, PauseFreshness, PauseBackPressure}).Draw(rt, "reason")
			l := lives[partition]
			switch step := rapid.IntRange(0, 6).Draw(rt, "step"); {
			case l == nil:
				lives[partition] = &life{partition: partition}
				counts[partition] = map[PauseReason]int{}
				p.begin(lives[partition])
			case step == 0:
				p.end(l)
				delete(lives, partition)
				delete(counts, partition)
			case step < 4:
				p.pause(l, reason)
				counts[partition][reason]++
			default:
				p.resume(l, reason)
				counts[partition][reason] = max(0, counts[partition][reason]-1)
			}
			for partition := range int32(3) {
				sum := 0
				for _, n := range counts[partition] {
					sum += n
				}
				require.Equal(rt, sum > 0, slices.Contains(pausedPartitions(client), partition), "partition %d with %v", partition, counts[partition])
			}
		}
		for _, l := range lives {
			p.end(l)
		}
	})
}
