package consumer

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// retentionEvery is how often the orders' topic is asked how long it keeps its records. Whoever shortens that does so in
// an emergency.
const retentionEvery = 5 * time.Minute

// retention is how long the orders' topic keeps a record, as last asked. It is safe for concurrent use.
type retention struct {
	known atomic.Int64
	asked time.Time // of the sampling goroutine, once that runs
}

// lasts is 0 when it is for ever, or nobody could say yet.
func (r *retention) lasts() time.Duration { return time.Duration(r.known.Load()) }

// refresh asks where it has been long enough. An error leaves what was known.
func (r *retention) refresh(ctx context.Context, admin *kadm.Client, topic string) {
	if !r.asked.IsZero() && time.Since(r.asked) < retentionEvery {
		return
	}
	asking, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	if lasts, err := orderRetention(asking, admin, topic); err == nil {
		r.known.Store(int64(lasts))
		r.asked = time.Now()
	}
}

// seconds is what the metric shows.
func (r *retention) seconds() float64 {
	if lasts := r.lasts(); lasts > 0 {
		return lasts.Seconds()
	}
	return math.Inf(1)
}

// orderRetention is how long a topic keeps a record, 0 when it is for ever.
func orderRetention(ctx context.Context, admin *kadm.Client, topic string) (time.Duration, error) {
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("asking how long %s keeps its records: %w", topic, err)
	}
	var retention time.Duration
	deletes := true
	for _, config := range configs {
		if config.Err != nil {
			return 0, fmt.Errorf("asking how long %s keeps its records: %w", topic, config.Err)
		}
		for _, setting := range config.Configs {
			switch setting.Key {
			case "retention.ms":
				if ms, err := strconv.ParseInt(setting.MaybeValue(), 10, 64); err == nil && ms > 0 && ms < math.MaxInt64/int64(time.Millisecond) {
					retention = time.Duration(ms) * time.Millisecond
				}
			case "cleanup.policy":
				deletes = strings.Contains(setting.MaybeValue(), "delete")
			}
		}
	}
	if !deletes {
		return 0, nil
	}
	return retention, nil
}
