package consumer

import (
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// PauseReason is why fetching pauses. It is a metric label.
type PauseReason string

// The reasons to pause. Each ends on its own; a partition resumes when its last one has ended.
const (
	// PauseBreaker: the circuit is open, for all partitions.
	PauseBreaker PauseReason = "breaker"
	// PauseRetryAfter: CJ asked to wait, for all partitions.
	PauseRetryAfter PauseReason = "retry_after"
	// PauseBackPressure: as many orders are in memory as may be.
	PauseBackPressure PauseReason = "back_pressure"
	// PauseFreshness: the click table is behind what an order needs.
	PauseFreshness PauseReason = "freshness"
	// PauseRegistry: the schema registry cannot be asked.
	PauseRegistry PauseReason = "registry"
	// PauseMassRule: the mass rule holds as many orders as may be read ahead.
	PauseMassRule PauseReason = "mass_rule"
	// PauseOperator: an operator holds sending, for all partitions.
	PauseOperator PauseReason = "operator"
	// PauseOffsets: the committed offset makes no sense, and a person must say where to go on.
	PauseOffsets PauseReason = "offsets"
)

var pauseReasons = []PauseReason{PauseBreaker, PauseRetryAfter, PauseBackPressure, PauseFreshness, PauseRegistry, PauseMassRule, PauseOperator, PauseOffsets}

// pauses counts the reasons to pause, since the client has one flag per partition only: resuming for one
// reason must not end another. Whole-process reasons use the client's separate flag for the topic.
//
// A partition's reasons belong to one life. What an earlier life still says changes nothing, and nothing of
// it outlives the assignment: the client would keep the partition paused when it comes back, for reasons
// that nobody remembers.
type pauses struct {
	client *kgo.Client
	topic  string

	mu         sync.Mutex
	process    map[PauseReason]bool
	partitions map[int32]*paused
}

// paused is how often each reason holds for the life that has the partition now.
type paused struct {
	life    *life
	reasons map[PauseReason]int
}

func newPauses(client *kgo.Client, topic string) *pauses {
	return &pauses{client: client, topic: topic, process: map[PauseReason]bool{}, partitions: map[int32]*paused{}}
}

// begin gives a partition to a new life, without a reason to pause.
func (p *pauses) begin(l *life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partitions[l.partition] = &paused{life: l, reasons: map[PauseReason]int{}}
	p.client.ResumeFetchPartitions(map[string][]int32{p.topic: {l.partition}})
}

// end takes a partition from its life.
func (p *pauses) end(l *life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if partition := p.partitions[l.partition]; partition != nil && partition.life == l {
		delete(p.partitions, l.partition)
		p.client.ResumeFetchPartitions(map[string][]int32{p.topic: {l.partition}})
	}
}

// all sets or ends a reason for the whole process.
func (p *pauses) all(reason PauseReason, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process[reason] == on {
		return
	}
	if on {
		p.process[reason] = true
		p.client.PauseFetchTopics(p.topic)
		return
	}
	delete(p.process, reason)
	if len(p.process) == 0 {
		p.client.ResumeFetchTopics(p.topic)
	}
}

// pause adds one count of a reason to a life's partition.
func (p *pauses) pause(l *life, reason PauseReason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	partition := p.partitions[l.partition]
	if partition == nil || partition.life != l {
		return
	}
	if len(partition.reasons) == 0 {
		p.client.PauseFetchPartitions(map[string][]int32{p.topic: {l.partition}})
	}
	partition.reasons[reason]++
}

// resume takes one count of a reason back.
func (p *pauses) resume(l *life, reason PauseReason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	partition := p.partitions[l.partition]
	if partition == nil || partition.life != l || partition.reasons[reason] == 0 {
		return
	}
	if partition.reasons[reason]--; partition.reasons[reason] == 0 {
		delete(partition.reasons, reason)
	}
	if len(partition.reasons) == 0 {
		p.client.ResumeFetchPartitions(map[string][]int32{p.topic: {l.partition}})
	}
}

// excuse tells whether a pause explains that the partition stands still. Back-pressure does not: it comes from
// orders that do not end.
func (p *pauses) excuse(partition int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.process) > 0 {
		return true
	}
	one := p.partitions[partition]
	if one == nil {
		return false
	}
	for reason := range one.reasons {
		if reason != PauseBackPressure {
			return true
		}
	}
	return false
}

// now tells for each reason whether anything pauses for it.
func (p *pauses) now() map[PauseReason]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	active := map[PauseReason]bool{}
	for reason := range p.process {
		active[reason] = true
	}
	for _, partition := range p.partitions {
		for reason := range partition.reasons {
			active[reason] = true
		}
	}
	return active
}

// ofProcess are the reasons for which everything pauses, sorted.
func (p *pauses) ofProcess() []PauseReason {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.process))
}

// ofPartition are the reasons for which one partition pauses, sorted.
func (p *pauses) ofPartition(partition int32) []PauseReason {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.partitions[partition]; one != nil {
		return slices.Sorted(maps.Keys(one.reasons))
	}
	return nil
}
