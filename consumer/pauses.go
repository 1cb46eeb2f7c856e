package consumer

import (
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
)

var pauseReasons = []PauseReason{PauseBreaker, PauseRetryAfter, PauseBackPressure, PauseFreshness, PauseRegistry}

// pauses counts the reasons to pause, since the client has one flag per partition only: resuming for one
// reason must not end another. Whole-process reasons use the client's separate flag for the topic.
type pauses struct {
	client *kgo.Client
	topic  string

	mu         sync.Mutex
	process    map[PauseReason]bool
	partitions map[int32]map[PauseReason]int
}

func newPauses(client *kgo.Client, topic string) *pauses {
	return &pauses{client: client, topic: topic, process: map[PauseReason]bool{}, partitions: map[int32]map[PauseReason]int{}}
}

// all sets or ends a reason for the whole process. It reports whether that changed anything.
func (p *pauses) all(reason PauseReason, on bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process[reason] == on {
		return false
	}
	if on {
		p.process[reason] = true
		p.client.PauseFetchTopics(p.topic)
		return true
	}
	delete(p.process, reason)
	if len(p.process) == 0 {
		p.client.ResumeFetchTopics(p.topic)
	}
	return true
}

// pause adds one count of a reason to a partition.
func (p *pauses) pause(partition int32, reason PauseReason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	reasons := p.partitions[partition]
	if reasons == nil {
		reasons = map[PauseReason]int{}
		p.partitions[partition] = reasons
		p.client.PauseFetchPartitions(map[string][]int32{p.topic: {partition}})
	}
	reasons[reason]++
}

// resume takes one count of a reason back.
func (p *pauses) resume(partition int32, reason PauseReason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	reasons := p.partitions[partition]
	if reasons[reason] == 0 {
		return
	}
	if reasons[reason]--; reasons[reason] == 0 {
		delete(reasons, reason)
	}
	if len(reasons) == 0 {
		p.forgetLocked(partition)
	}
}

// forget ends every reason of a partition that is taken away: the client would keep it paused when it comes
// back, for reasons that nobody remembers.
func (p *pauses) forget(partition int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLocked(partition)
}

func (p *pauses) forgetLocked(partition int32) {
	delete(p.partitions, partition)
	p.client.ResumeFetchPartitions(map[string][]int32{p.topic: {partition}})
}

// partition tells whether fetching of the partition pauses for any reason.
func (p *pauses) partition(partition int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.process) > 0 || len(p.partitions[partition]) > 0
}

// now tells for each reason whether anything pauses for it.
func (p *pauses) now() map[PauseReason]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	active := map[PauseReason]bool{}
	for reason := range p.process {
		active[reason] = true
	}
	for _, reasons := range p.partitions {
		for reason := range reasons {
			active[reason] = true
		}
	}
	return active
}
