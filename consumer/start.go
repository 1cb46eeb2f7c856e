package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Start is where a group without committed offsets begins. The zero value means that nobody has said, which
// is refused on a topic that is not empty: firing history by accident costs money.
type Start struct {
	kind startKind
	at   time.Time
}

type startKind int

const (
	startUnset startKind = iota
	startEarliest
	startLatest
	startAt
)

// Earliest fires every order that the topic still holds.
func Earliest() Start { return Start{kind: startEarliest} }

// Latest fires only orders that come after the group's first start.
func Latest() Start { return Start{kind: startLatest} }

// At fires the orders whose records have that time or a later one.
func At(t time.Time) Start { return Start{kind: startAt, at: t} }

// settle makes sure that the group has a committed offset for every partition before anything is fetched. It
// resolves the start once, for all partitions in one commit, so that a crash or a second instance never
// resolves it a second time to something else. A group that has offsets is left as it is.
func (s Start) settle(ctx context.Context, admin *kadm.Client, group, topic string, log *slog.Logger) error {
	settle := func() (struct{}, error) {
		if begun, err := hasBegun(ctx, admin, group, topic); begun || err != nil {
			return struct{}{}, err
		}
		offsets, err := s.resolve(ctx, admin, group, topic)
		if err != nil {
			return struct{}{}, err
		}
		// Brokers refuse the commit only while somebody is in the group. Another instance may have begun, and be gone
		// again, since we asked.
		if begun, err := hasBegun(ctx, admin, group, topic); begun || err != nil {
			return struct{}{}, err
		}
		answers, err := admin.CommitOffsets(ctx, group, offsets)
		if err == nil {
			err = answers.Error()
		}
		if err != nil {
			// Another instance is in the group already: it has settled the start, so look again.
			return struct{}{}, retryable(fmt.Errorf("committing the start of group %s: %w", group, err))
		}
		log.Info("start settled", "group", group, "topic", topic, "start", s.String())
		return struct{}{}, nil
	}
	_, err := backoff.Retry(ctx, settle, backoff.WithMaxElapsedTime(time.Minute), backoff.WithNotify(func(err error, wait time.Duration) {
		log.Warn("settling the start, trying again", "error", err, "in", wait)
	}))
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		return permanent.Err
	}
	return err
}

// hasBegun tells whether the group has an offset of any partition.
func hasBegun(ctx context.Context, admin *kadm.Client, group, topic string) (bool, error) {
	committed, err := admin.FetchOffsetsForTopics(ctx, group, topic)
	// A group that is quite new is an error to some brokers and one without offsets to others.
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return false, backoff.Permanent(fmt.Errorf("orders.topic %q does not exist: check the name, or make it with `cjrelay topics`", topic))
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return false, retryable(fmt.Errorf("asking for the offsets of group %s: %w", group, err))
	}
	for _, response := range committed[topic] {
		if response.At >= 0 {
			return true, nil
		}
	}
	return false, nil
}

// retryable keeps errors that time can heal; an authorisation that is missing is not one.
func retryable(err error) error {
	var authorization *kadm.AuthError
	if errors.As(err, &authorization) {
		return backoff.Permanent(err)
	}
	return err
}

// resolve turns the start into an offset for every partition.
func (s Start) resolve(ctx context.Context, admin *kadm.Client, group, topic string) (kadm.Offsets, error) {
	starts, err := listed(admin.ListStartOffsets(ctx, topic))
	if err != nil {
		return nil, retryable(err)
	}
	ends, err := listed(admin.ListEndOffsets(ctx, topic))
	if err != nil {
		return nil, retryable(err)
	}
	chosen := starts
	switch s.kind {
	case startUnset:
		var records int64
		ends.Each(func(end kadm.ListedOffset) {
			start, _ := starts.Lookup(topic, end.Partition)
			records += end.Offset - start.Offset
		})
		if records > 0 {
			return nil, backoff.Permanent(fmt.Errorf("orders.start is not set: group %q has no committed offsets and topic %q holds about %d records. "+
				"Set orders.start to a time (safest), earliest (fires all of them) or latest (skips them)", group, topic, records))
		}
	case startLatest:
		// As Kafka has it for readers of committed records: what is in an open transaction is yet to come.
		if chosen, err = listed(admin.ListCommittedOffsets(ctx, topic)); err != nil {
			return nil, retryable(err)
		}
	case startAt:
		if chosen, err = listed(admin.ListOffsetsAfterMilli(ctx, s.at.UnixMilli(), topic)); err != nil {
			return nil, retryable(err)
		}
		orEnds(chosen[topic], ends[topic])
	}
	offsets := kadm.Offsets{}
	chosen.Each(func(o kadm.ListedOffset) { offsets.AddOffset(topic, o.Partition, o.Offset, -1) })
	return offsets, nil
}

// orEnds gives partitions that had no order of that time or later the end that they had before they were asked. Theirs
// was listed after that, and an order may have come in between.
func orEnds(byTime, ends map[int32]kadm.ListedOffset) {
	for partition, o := range byTime {
		if end, known := ends[partition]; known && o.Timestamp < 0 {
			byTime[partition] = end
		}
	}
}

// listed makes an error of any partition the error of the listing.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err != nil {
		return nil, fmt.Errorf("listing offsets: %w", err)
	}
	if err := offsets.Error(); err != nil {
		return nil, fmt.Errorf("listing offsets: %w", err)
	}
	return offsets, nil
}

func (s Start) String() string {
	switch s.kind {
	case startEarliest:
		return "earliest"
	case startLatest:
		return "latest"
	case startAt:
		return s.at.UTC().Format(time.RFC3339)
	default:
		return "unset"
	}
}
