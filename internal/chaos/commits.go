package chaos

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Commit is one offset that Kafka took for a partition.
type Commit struct {
	Partition int32
	Offset    int64
	// Metadata says which offsets above it are done, see covers.
	Metadata string
	// At is the coordinator's time.
	At time.Time
}

// covers tells whether the commit says that the order at an offset of its partition is done. The metadata is read
// as package consumer documents it: a version, a checksum, the offset, then gaps and lengths.
func (c Commit) covers(offset int64) bool {
	if offset < c.Offset {
		return true
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(c.Metadata, "cj1."))
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

// Generation is one time that the group gave its partitions out.
type Generation struct {
	// At is the coordinator's time, Owners are the processes by partition.
	At     time.Time
	Owners map[int32]string
}

// offsetsTopic is where Kafka itself keeps what groups commit. A group is in one partition of it, so that its
// commits are there in the order in which Kafka took them.
const offsetsTopic = "__consumer_offsets"

// history reads the commits and the generations of one group as they come.
type history struct {
	group, topic string
	client       *kgo.Client

	mu          sync.Mutex
	commits     []Commit
	generations []Generation
	read        map[int32]int64
	changed     chan struct{}
	strange     []string
}

// follow begins to read what becomes of a group from now on.
func follow(ctx context.Context, options []kgo.Opt, admin *kadm.Client, group, topic string) (*history, error) {
	h := &history{group: group, topic: topic, read: map[int32]int64{}, changed: make(chan struct{})}
	// Asking for a group makes Kafka make the topic; its leaders may take a moment.
	_, _ = admin.FetchOffsets(ctx, group)
	ends, err := retried(ctx, func() (kadm.ListedOffsets, error) { return endsOf(ctx, admin, offsetsTopic) })
	if err != nil {
		return nil, err
	}
	from := map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) {
		from[end.Partition] = kgo.NewOffset().At(end.Offset)
		h.read[end.Partition] = end.Offset
	})
	h.client, err = kgo.NewClient(append(options, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{offsetsTopic: from}),
		kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return nil, err
	}
	go h.work()
	return h, nil
}

func (h *history) close() { h.client.Close() }

// work reads until the client is closed. Errors are the brokers' that come and go; the client tries again.
func (h *history) work() {
	for {
		fetches := h.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		h.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			if err := h.take(r); err != nil {
				h.strange = append(h.strange, fmt.Sprintf("%s[%d]@%d: %v", r.Topic, r.Partition, r.Offset, err))
			}
			h.read[r.Partition] = r.Offset + 1
		})
		close(h.changed)
		h.changed = make(chan struct{})
		h.mu.Unlock()
	}
}

// take reads one record. Keys of version 0 and 1 are commits, of version 2 what the group looks like.
func (h *history) take(r *kgo.Record) error {
	if len(r.Key) < 2 || r.Value == nil {
		return nil
	}
	switch binary.BigEndian.Uint16(r.Key) {
	case 0, 1:
		var key kmsg.OffsetCommitKey
		var value kmsg.OffsetCommitValue
		if err := key.ReadFrom(r.Key); err != nil {
			return err
		}
		if key.Group != h.group || key.Topic != h.topic {
			return nil
		}
		if err := value.ReadFrom(r.Value); err != nil {
			return err
		}
		h.commits = append(h.commits, Commit{key.Partition, value.Offset, value.Metadata, time.UnixMilli(value.CommitTimestamp)})
	case 2:
		var key kmsg.GroupMetadataKey
		if err := key.ReadFrom(r.Key); err != nil {
			return err
		}
		if key.Group != h.group {
			return nil
		}
		generation, err := h.readGeneration(r)
		if err != nil {
			return err
		}
		h.generations = append(h.generations, generation)
	}
	return nil
}

// readGeneration reads who has which partitions. A process's client id is its name.
func (h *history) readGeneration(r *kgo.Record) (Generation, error) {
	generation := Generation{At: r.Timestamp, Owners: map[int32]string{}}
	var value kmsg.GroupMetadataValue
	if err := value.ReadFrom(r.Value); err != nil {
		return generation, err
	}
	for _, member := range value.Members {
		var assignment kmsg.ConsumerMemberAssignment
		if err := assignment.ReadFrom(member.Assignment); err != nil {
			return generation, err
		}
		for _, topic := range assignment.Topics {
			for _, partition := range topic.Partitions {
				generation.Owners[partition] = member.ClientID
			}
		}
	}
	return generation, nil
}

// all is what there is up to now, once everything that Kafka has was read.
func (h *history) all(ctx context.Context, admin *kadm.Client) (commits []Commit, generations []Generation, strange []string, err error) {
	ends, err := retried(ctx, func() (kadm.ListedOffsets, error) { return endsOf(ctx, admin, offsetsTopic) })
	if err != nil {
		return nil, nil, nil, err
	}
	for {
		h.mu.Lock()
		changed, behind := h.changed, false
		ends.Each(func(end kadm.ListedOffset) { behind = behind || h.read[end.Partition] < end.Offset })
		commits, generations, strange = h.commits, h.generations, h.strange
		h.mu.Unlock()
		if !behind {
			return commits, generations, strange, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, nil, fmt.Errorf("reading what the group committed: %w", ctx.Err())
		}
	}
}
