//go:build synctests

package sim

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/cjtest"
)

// Options are everything that one run is made from. Shoppers and the sequence of partitions follow from Seed and the
// rest.
type Options struct {
	// Seed draws what the other fields leave open.
	Seed uint64

	// Brokers and Partitions are those of Kafka and of each topic.
	Brokers, Partitions int
	// Relays run from the start; faults add and take some.
	Relays int
	// Join is config.JoinGlobal or config.JoinCopartitioned; the formats are those of package schema.
	Join, OrderFormat, ClickFormat string

	// History is how many orders stand in the topic before the first relay starts, Orders how many are confirmed
	// during Over, the time of the safety phase.
	History, Orders int
	Over            time.Duration
	// Encore is how many orders are confirmed for each partition once nothing fails any more.
	Encore int
	// Only makes all shoppers of these kinds; empty for the usual mix.
	Only []string
	// Transactions puts some orders and all clicks into transactions, of which some are aborted. Compaction makes
	// holes in the history.
	Transactions, Compaction bool

	// These are settings of the relay by the same names.
	Concurrency, MaxPending, MaxPendingPerPartition int
	CommitInterval, Timeout, Drain, BackoffMax      time.Duration
	SessionTimeout, RebalanceTimeout, RetryAfterCap time.Duration
	BreakerOpen                                     time.Duration

	// Delay is how long a packet of a relay takes to Kafka or CJ. There must be some: a client that tries again at once
	// would otherwise do so for ever at one moment.
	Delay time.Duration
	// Latency is CJ's throughout, CJ what it does during the safety phase.
	Latency cjtest.Latency
	CJ      []cjtest.Rule
	// Faults are what else happens then.
	Faults []Fault
}

// Liveness is how long the relays may take, once nothing fails any more, until every order has an outcome that is
// committed. It is the sum of what the group, the breaker, a backoff and a Retry-After may each still have to wait, and
// a minute for Kafka's client, which waits up to 5 s between its own tries.
func (o Options) Liveness() time.Duration {
	return o.SessionTimeout + o.RebalanceTimeout + o.Drain + o.RetryAfterCap + 2*o.BackoffMax + 3*o.BreakerOpen + time.Minute
}

// String lists every option, one a line.
func (o Options) String() string {
	var text strings.Builder
	value := reflect.ValueOf(o)
	for i := range value.NumField() {
		name, field := value.Type().Field(i).Name, value.Field(i)
		if field.Kind() != reflect.Slice {
			fmt.Fprintf(&text, "%s: %v\n", name, field.Interface())
			continue
		}
		fmt.Fprintf(&text, "%s: (%d)\n", name, field.Len())
		for j := range field.Len() {
			fmt.Fprintf(&text, "    %v\n", field.Index(j).Interface())
		}
	}
	return text.String()
}
