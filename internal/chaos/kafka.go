package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
)

// patience bounds how long Kafka may take to answer a question while brokers come and go.
const patience = 2 * time.Minute

// retried asks Kafka again and again until it answers: what is asked here is asked while brokers come and go.
func retried[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	return backoff.Retry(ctx, ask, backoff.WithBackOff(backoff.NewConstantBackOff(100*time.Millisecond)), backoff.WithMaxElapsedTime(patience))
}

// endsOf lists the ends of a topic's partitions.
func endsOf(ctx context.Context, admin *kadm.Client, topic string) (kadm.ListedOffsets, error) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err == nil && len(ends[topic]) == 0 {
		err = fmt.Errorf("topic %s is not there", topic)
	}
	return ends, err
}
