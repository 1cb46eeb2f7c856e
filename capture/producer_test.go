package capture

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// slowly lets a cluster take its time for every write.
func slowly(cluster *kafkatest.Cluster, wait time.Duration) {
	cluster.Fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Fake.KeepControl()
		cluster.Fake.SleepControl(func() { time.Sleep(wait) })
		return nil, nil, false
	})
}

// A stop goes on until Kafka has all, and no longer.
func TestStopProducesWhatIsInTheSpool(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		topic := cluster.Topic(t, "cjevent", 1, compacted)
		slowly(cluster, time.Second)
		b := setup(t, onKafka(cluster, topic))
		stop := b.start()
		b.browser.get("/?cjevent=" + clickA)
		began := time.Now()
		stop()
		require.Equal(t, 1.0, b.metric("produced_total"))
		require.GreaterOrEqual(t, time.Since(began), time.Second)
		require.Less(t, time.Since(began), DrainDefault)
	})
}

// The client goes on trying by itself and reports no error.
func TestKafkaThatIsSlowIsATrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		topic := cluster.Topic(t, "cjevent", 1, compacted)
		slowly(cluster, slowKafka+5*time.Second)
		b := setup(t, onKafka(cluster, topic))
		stop := b.start()
		b.browser.get("/?cjevent=" + clickA)
		time.Sleep(slowKafka - time.Second)
		require.NoError(t, b.Troubles()[0].Err)
		time.Sleep(2 * time.Second)
		require.ErrorContains(t, b.Troubles()[0].Err, "not done after 10s")
		time.Sleep(5 * time.Second)
		require.NoError(t, b.Troubles()[0].Err)
		require.Equal(t, 1.0, b.metric("produced_total"))
		stop()
	})
}

func TestRegistryThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		topic := cluster.Topic(t, "cjevent", 1, compacted)
		away := errors.New("no answer")
		b := setup(t, onKafka(cluster, topic), func(c *Config) {
			encode, began := c.Encode, time.Now()
			c.Encode = func(ctx context.Context, click schema.Click) ([]byte, error) {
				if time.Since(began) < time.Minute {
					return nil, away
				}
				return encode(ctx, click)
			}
		})
		stop := b.start()
		b.browser.get("/?cjevent=" + clickA)
		time.Sleep(30 * time.Second)
		require.ErrorIs(t, b.Troubles()[1].Err, away)
		require.Equal(t, "registry", b.Troubles()[1].Name)
		require.NoError(t, b.Troubles()[0].Err, "Kafka is well")
		time.Sleep(time.Minute)
		require.NoError(t, b.Troubles()[1].Err)
		require.Equal(t, 1.0, b.metric("produced_total"))
		stop()
	})
}

// Its time was to be replaced, and Kafka does not take it now: it waits like any other.
func TestRecordThatWaitsWithANewTimeIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		topic := cluster.Topic(t, "cjevent", 1, compacted)
		b := setup(t, onKafka(cluster, topic))
		answers := []*kerr.Error{kerr.InvalidTimestamp, kerr.TopicAuthorizationFailed, kerr.InvalidTimestamp}
		for _, answer := range answers {
			refuseWrites(cluster, answer, 1)
		}
		require.NoError(t, b.queue.add(newEntry(record{put, "s-1", clickA, now().Add(-time.Hour)})))
		stop := b.start()
		time.Sleep(time.Minute)
		stop()
		require.Len(t, cluster.Read(t, topic), 1)
		require.Equal(t, 1.0, b.metric("produced_total"))
		require.Zero(t, b.metric("lost_total{refused_by_kafka}"))
	})
}

func TestWhatIsSetAsideIsKeptUpToABound(t *testing.T) {
	t.Parallel()
	files := newMemoryFiles()
	locked, err := files.lock()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, locked.Close()) })
	for n := range 3 {
		require.NoError(t, setAside(files, nth(n)))
	}
	content, err := files.read(asideFile)
	require.NoError(t, err)
	require.Equal(t, segmentMagic, string(content[:len(segmentMagic)]))
	records, _, _ := parseFrames(content[len(segmentMagic):])
	require.Equal(t, numbered(0, 3), records)
	for frame := nth(0).frame(); len(content)+len(frame) <= segmentBytes; {
		content = append(content, frame...)
	}
	require.NoError(t, files.write(asideFile, content))
	require.ErrorContains(t, setAside(files, nth(3)), "is full")
	kept, err := files.read(asideFile)
	require.NoError(t, err)
	require.Equal(t, content, kept)
}
