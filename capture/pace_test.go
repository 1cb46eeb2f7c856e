package capture

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// A thousand landings, one each millisecond. Each group of clicks costs a wait for the disk and a request to Kafka.
func TestClicksInAHurryGoTogether(t *testing.T) {
	t.Parallel()
	const landings = 1000
	for name, durable := range map[string]bool{"Durable": true, "NotDurable": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cluster := kafkatest.StartVirtual(t)
				topic := cluster.Topic(t, "cjevent", 1, compacted)
				requests := 0
				cluster.Fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
					cluster.Fake.KeepControl()
					requests++
					return nil, nil, false
				})
				files := newMemoryFiles()
				b := setupOn(t, files, onKafka(cluster, topic), func(c *Config) { c.ClientRate, c.Durable = -1, durable })
				syncs := 0
				files.before = func(operation string) error {
					if operation == "sync" {
						syncs++
					}
					return nil
				}
				stop := b.start()
				for i := range landings {
					b.browser = newBrowser(b)
					b.browser.has("sid", fmt.Sprintf("s-%04d", i))
					asked := time.Now()
					b.browser.get("/?cjevent=" + clickA)
					require.Zero(t, time.Since(asked), "no page waits for others")
					time.Sleep(time.Millisecond)
				}
				stop()
				records := cluster.Read(t, topic)
				require.Len(t, records, landings)
				for i, r := range records {
					require.Equal(t, fmt.Sprintf("s-%04d", i), string(r.Key))
				}
				groups := landings*int(time.Millisecond)/int(pace) + 2
				require.LessOrEqual(t, requests, groups)
				if durable {
					require.GreaterOrEqual(t, syncs, landings)
				} else {
					require.LessOrEqual(t, syncs, groups+2, "two more are of what Kafka has, once a second")
				}
			})
		})
	}
}

// Most shops have fewer landings than the pace allows groups: theirs wait for nothing.
func TestClickAloneGoesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		topic := cluster.Topic(t, "cjevent", 1, compacted)
		b := setup(t, onKafka(cluster, topic))
		stop := b.start()
		for i := range 10 {
			b.browser.has("sid", fmt.Sprint("s-", i))
			b.browser.get("/?cjevent=" + clickA)
			if i > 0 { // the first one waits for the connection
				time.Sleep(pace / 2)
				require.EqualValues(t, i+1, b.metric("produced_total"))
			}
			time.Sleep(time.Second)
		}
		stop()
	})
}
