package consumer

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// limits is what our topics take. The dead-letter topic must take records as large as the orders' topic does, and a
// batch above a topic's limit would be refused with every record in it.
type limits struct {
	consumer *Consumer
	// asked is when the topics were asked last.
	asked time.Time

	mu sync.Mutex
	// bytes are each topic's max.message.bytes.
	bytes map[string]int32
}

const (
	// limitUnknown is Kafka's own default for max.message.bytes.
	limitUnknown = 1_048_588
	// askLimitsEvery is how often the topics are asked at most.
	askLimitsEvery = time.Second
	// askLimitsTimeout is how long an answer may take: a record waits for it.
	askLimitsTimeout = 5 * time.Second
)

// of returns what the topic takes in one batch, in bytes. It is safe for concurrent use.
func (l *limits) of(topic string) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit, known := l.bytes[topic]; known {
		return limit
	}
	return limitUnknown
}

// ask asks the topics, unless that was only just done, and tells whether the answer is another one than before. What is
// not told stays as it was. One may ask at a time.
func (l *limits) ask(ctx context.Context) (changed bool) {
	if !l.asked.IsZero() && time.Since(l.asked) < askLimitsEvery {
		return false
	}
	asking, cancel := context.WithTimeout(ctx, askLimitsTimeout)
	defer cancel()
	config := l.consumer.config
	told, err := kadm.NewClient(l.consumer.client).DescribeTopicConfigs(asking, config.DeadLetterTopic, config.OutcomesTopic)
	l.asked = time.Now()
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := maps.Clone(l.bytes)
	for _, topic := range told {
		for _, setting := range topic.Configs {
			if limit, err := strconv.ParseInt(setting.MaybeValue(), 10, 32); err == nil && setting.Key == "max.message.bytes" {
				l.bytes[topic.Name] = int32(limit)
			}
		}
	}
	return !maps.Equal(before, l.bytes)
}
