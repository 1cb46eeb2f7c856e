package consumer

import "github.com/cjrelay/cjrelay/schema"

// Replay makes a Consumer do a part of the topic once more: in a group of its own, which has committed where to begin,
// and up to a fixed end. Whatever else holds for orders holds for these.
type Replay struct {
	// Until is where each partition ends. Offsets from there on, and partitions that it does not have, are not read.
	Until map[int32]int64
	// Wanted tells which offsets before that are done again. The others have ended before, and are complete as they are.
	Wanted func(partition int32, offset int64) bool
	// Recall returns the click with which CJ has acknowledged an order, named by its outcome's key, and where that
	// came from. It counts again, whatever the click table has learned since: CJ would take another one for another
	// publisher's.
	Recall func(key string) (click string, origin schema.Reason, known bool)
}

// PauseReplayed: a replay has read its part of the partition. Only a replay has it, so it is no series of the metrics.
const PauseReplayed PauseReason = "replayed"

// isOver tells whether an offset lies behind the end.
func (r *Replay) isOver(partition int32, offset int64) bool {
	return r != nil && offset >= r.Until[partition]
}

// passesOver tells whether an offset is not to be done again.
func (r *Replay) passesOver(partition int32, offset int64) bool {
	return r != nil && !r.Wanted(partition, offset)
}

// recalled sends the order with the click that it was acknowledged with, and reports whether there is one.
func (p *passage) recalled() bool {
	if p.consumer.config.Replay == nil {
		return false
	}
	click, origin, known := p.consumer.config.Replay.Recall(p.outcome.Key())
	if known {
		p.build(click, origin)
	}
	return known
}
