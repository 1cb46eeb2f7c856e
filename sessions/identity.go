package sessions

import (
	"context"
	"fmt"
)

// describe asks for the topic as it is now, and refuses what the table cannot be true to.
func (t *Table) describe(ctx context.Context) (described, error) {
	topics := []string{t.config.Topic}
	if t.config.Layout == Copartitioned {
		topics = append(topics, t.config.Orders)
	}
	found, err := describe(ctx, t.client, topics...)
	if err != nil {
		return described{}, err
	}
	topic := found[t.config.Topic]
	err = t.identify(ctx, topic)
	if err == nil && t.config.Layout == Copartitioned {
		err = t.checkCounts(len(topic.leaders), len(found[t.config.Orders].leaders))
	}
	if err != nil {
		return described{}, unfitError{err}
	}
	return topic, nil
}

// unfitError says that the table, or its files, do not fit the topic.
type unfitError struct{ error }

func (e unfitError) Unwrap() error { return e.error }

// identify readies the store for the topic when that is first seen, and from then on refuses any other one.
func (t *Table) identify(ctx context.Context, topic described) error {
	if id := t.topicID.Load(); id != nil {
		if *id != topic.id {
			return fmt.Errorf("topic %s was deleted and made anew: restart to rebuild the table from it", t.config.Topic)
		}
		return nil
	}
	life, err := tombstonesLive(ctx, t.client, t.config.Topic)
	if err != nil {
		return err
	}
	if err := t.store.Begin(Origin{TopicID: topic.id, Layout: t.config.Layout}); err != nil {
		return err
	}
	t.tombstones = life
	t.topicID.Store(&topic.id)
	return nil
}

// checkCounts refuses partition counts that put a session's clicks and its orders into different partitions. A
// count that changes does so too, even if both topics' do: a session's older clicks stay where they are.
func (t *Table) checkCounts(clicks, orders int) error {
	if clicks != orders {
		return fmt.Errorf("topic %s has %d partitions and topic %s has %d, and the join is copartitioned: give both the same number, "+
			"or set clicks.join to global", t.config.Topic, clicks, t.config.Orders, orders)
	}
	if t.partitions.CompareAndSwap(0, int32(clicks)) || t.partitions.Load() == int32(clicks) {
		return nil
	}
	return fmt.Errorf("topics %s and %s had %d partitions and have %d now, and the join is copartitioned: the older clicks of most sessions "+
		"lie in another partition than their orders do from now on; set clicks.join to global, or write the clicks anew, and restart",
		t.config.Topic, t.config.Orders, t.partitions.Load(), clicks)
}
