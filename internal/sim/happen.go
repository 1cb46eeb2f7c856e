//go:build synctests

package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// faults lets every fault happen at its time. When ctx ends, those that last are over at once; it returns when all of
// them are.
func (w *world) faults(ctx context.Context) {
	var under sync.WaitGroup
	for _, f := range w.options.Faults {
		under.Go(func() {
			if w.sleep(ctx, f.At) {
				w.happens(ctx, f)
			}
		})
	}
	under.Wait()
}

// happens lets one fault begin, last and end.
func (w *world) happens(ctx context.Context, f Fault) {
	lasting, cancel := context.WithTimeout(ctx, max(f.For, time.Nanosecond))
	defer cancel()
	switch f.Kind {
	case Join, Leave, Restart, Crash, Cut, Silence:
		w.groupFault(lasting, f)
	case RegistryAway:
		w.registry.away.Store(true)
		<-lasting.Done()
		w.registry.away.Store(false)
	case Retention:
		w.retain()
	default:
		over := w.trouble()
		defer over()
		w.brokerFault(lasting, f)
	}
}

// groupFault is about one relay.
func (w *world) groupFault(lasting context.Context, f Fault) {
	if f.Kind == Join {
		w.start()
		return
	}
	running := w.running()
	if len(running) == 0 {
		return
	}
	u := running[f.Relay%len(running)]
	switch f.Kind {
	case Leave:
		u.leave()
	case Restart:
		u.leave()
		<-u.over
		w.start()
	case Crash:
		u.crash()
	case Cut, Silence:
		state := down
		if f.Kind == Silence {
			state = silent
		}
		over := u.off(state)
		<-lasting.Done()
		over()
	}
}

// brokerFault is about Kafka.
func (w *world) brokerFault(lasting context.Context, f Fault) {
	var handle *kfake.FaultHandle
	fail := func(fault kfake.Fault) {
		fault.Err, fault.Count = f.Error, -1
		handle = w.kafka.Fault(fault)
	}
	switch f.Kind {
	case CommitFails:
		fail(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: w.config.Orders.Group})
	case CommitWithMetadataFails:
		fail(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: w.config.Orders.Group, When: hasMetadata})
	case WriteFails:
		fail(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: f.Topic})
	case ReadFails:
		fail(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: f.Topic})
	case ListFails:
		fail(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: f.Topic})
	case HeartbeatFails:
		handle = w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: w.config.Orders.Group, Err: f.Error})
	case CoordinatorMoves:
		w.kafka.RehashCoordinators()
		return
	case LeadersMove:
		w.kafka.ShufflePartitionLeaders()
		return
	case BrokerAway:
		w.brokerAway(lasting)
		return
	}
	<-lasting.Done()
	handle.Remove()
}

// brokerAway takes the last broker away and brings it back. The fake closes its listener and no connection.
func (w *world) brokerAway(lasting context.Context) {
	node := int32(w.options.Brokers - 1)
	way := w.ways[w.config.Kafka.Brokers[node]]
	if w.kafka.RemoveNode(node) != nil {
		return // it is away already
	}
	way.become(down)
	<-lasting.Done()
	_, _, err := w.kafka.AddNode(node, firstPort+int(node))
	require.NoError(w.t, err)
	way.become(up)
}

// hasMetadata tells whether a commit says which offsets above the committed one are done.
func hasMetadata(r kmsg.Request) bool {
	for _, topic := range r.(*kmsg.OffsetCommitRequest).Topics {
		if slices.ContainsFunc(topic.Partitions, func(p kmsg.OffsetCommitRequestTopicPartition) bool { return p.Metadata != nil && *p.Metadata != "" }) {
			return true
		}
	}
	return false
}

// retain removes the older half of what is not committed.
func (w *world) retain() {
	group := w.kafka.GroupInfo(w.config.Orders.Group)
	if group == nil {
		return
	}
	ends := w.ends(w.config.Orders.Topic)
	for partition, commit := range group.Commits[w.config.Orders.Topic] {
		if half := commit.Offset + (ends[partition]-commit.Offset)/2; half > commit.Offset {
			require.NoError(w.t, w.kafka.DeleteRecords(w.config.Orders.Topic, partition, half))
			w.mu.Lock()
			w.removed = append(w.removed, removal{partition, commit.Offset, half})
			w.mu.Unlock()
		}
	}
}
