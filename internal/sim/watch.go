//go:build synctests

package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// watch sees every offset commit as it arrives at Kafka, and what had been written by then.
type watch struct {
	world *world

	mu      sync.Mutex
	commits []*commit
	// open are commits of which it is not known yet whether Kafka took them.
	open []*commit
	last map[int32]kfake.GroupCommit
}

// commit is one partition of an offset commit.
type commit struct {
	at        time.Time
	relay     string
	partition int32
	offset    int64
	metadata  string
	// accepted: Kafka took it.
	accepted bool
	// owner is the relay that the group has given the partition to, empty when it is none's.
	owner string
	// outcomes are the ends of the outcomes' topic at that moment.
	outcomes map[int32]int64
}

// covers tells whether the commit says that the order at an offset of its partition is done. The metadata is read as
// package consumer documents it: a version, a checksum, the offset, then gaps and lengths.
func (c *commit) covers(offset int64) bool {
	if offset < c.offset {
		return true
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(c.metadata, "cj1."))
	if err != nil || len(raw) < crc32.Size {
		return false
	}
	body := bytes.NewReader(raw[crc32.Size:])
	at, err := binary.ReadUvarint(body)
	for err == nil {
		var gap, length uint64
		if gap, err = binary.ReadUvarint(body); err != nil {
			break
		}
		length, err = binary.ReadUvarint(body)
		from := at + gap
		if at = from + length; from <= uint64(offset) && uint64(offset) < at {
			return true
		}
	}
	return false
}

func newWatch(w *world) *watch {
	watch := &watch{world: w, last: map[int32]kfake.GroupCommit{}}
	w.kafka.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		watch.see(r.(*kmsg.OffsetCommitRequest))
		return nil, nil, false
	})
	return watch
}

// see notes a request before Kafka handles it.
func (w *watch) see(request *kmsg.OffsetCommitRequest) {
	// What the group has is compared in the order in which it was asked for.
	w.mu.Lock()
	defer w.mu.Unlock()
	info := w.world.kafka.GroupInfo(w.world.config.Orders.Group)
	w.settle(info)
	outcomes := map[int32]int64{}
	for _, p := range w.world.kafka.PartitionInfos(w.world.config.Outcomes.Topic) {
		outcomes[p.Partition] = p.HighWatermark
	}
	relay, owners := "", map[int32]string{}
	if info != nil {
		for _, m := range info.Members {
			if m.MemberID == request.MemberID {
				relay = m.ClientID
			}
			for _, partition := range m.Assignment[w.world.config.Orders.Topic] {
				owners[partition] = m.ClientID
			}
		}
	}
	for _, topic := range request.Topics {
		for _, p := range topic.Partitions {
			c := &commit{at: time.Now(), relay: relay, partition: p.Partition, offset: p.Offset, owner: owners[p.Partition], outcomes: outcomes}
			if p.Metadata != nil {
				c.metadata = *p.Metadata
			}
			w.commits = append(w.commits, c)
			w.open = append(w.open, c)
		}
	}
}

// look compares with what the group has now.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle(w.world.kafka.GroupInfo(w.world.config.Orders.Group))
}

// settle finds out which commits were taken, and whether an offset moved back. The caller holds mu.
func (w *watch) settle(info *kfake.GroupInfo) {
	if info == nil {
		return
	}
	now := info.Commits[w.world.config.Orders.Topic]
	for _, c := range w.open {
		at, known := now[c.partition]
		// One that changes nothing, at the very moment of another, may as well have been refused.
		c.accepted = known && at.Offset == c.offset && !at.At.Before(c.at) && at != w.last[c.partition]
	}
	w.open = nil
	for partition, at := range now {
		if before, known := w.last[partition]; known && at.Offset < before.Offset {
			w.world.found(commitDiscipline, "partition %d was committed up to %d, then back to %d", partition, before.Offset, at.Offset)
		}
		w.last[partition] = at
	}
}

// accepted are the commits that Kafka took, in their order.
func (w *watch) accepted() []*commit {
	w.mu.Lock()
	defer w.mu.Unlock()
	var accepted []*commit
	for _, c := range w.commits {
		if c.accepted {
			accepted = append(accepted, c)
		}
	}
	return accepted
}

// committed is what the group has of a partition, as last seen; -1 when it has nothing.
func (w *watch) committed(partition int32) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, known := w.last[partition]; known {
		return at.Offset
	}
	return -1
}
