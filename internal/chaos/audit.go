package chaos

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// Audit compares everything with everything.
func (b *Books) Audit() *Ledger {
	l := &Ledger{Orders: len(b.Orders), Requests: len(b.Requests), Commits: len(b.Commits), Generations: len(b.Generations),
		DuplicatesBy: map[Cause]int{}, BoundBy: map[Cause]int{}}
	requests, judged := map[string][]Request{}, map[string][]cjtest.Received{}
	for _, r := range b.Requests {
		requests[r.OrderID] = append(requests[r.OrderID], r)
	}
	for _, r := range b.Judged {
		judged[r.OrderID] = append(judged[r.OrderID], r)
	}
	known, places := map[string]bool{}, map[Place]bool{}
	for _, o := range b.Orders {
		known[o.ID], places[o.Place] = true, true
		c := &check{order: o, requests: requests[o.ID], judged: judged[o.ID], outcomes: b.Outcomes[o.Place], letters: b.Letters[o.Place]}
		c.run()
		l.add(c)
	}
	for _, id := range slices.Sorted(maps.Keys(requests)) {
		if !known[id] {
			l.wrong("CJ received order %s, which was never confirmed", schema.Quoted(id))
		}
	}
	for at := range b.Outcomes {
		if !places[at] {
			l.wrong("there is an outcome of %v, where no order is", at)
		}
	}
	for at := range b.Letters {
		if !places[at] {
			l.wrong("there is a dead letter of %v, where no order is", at)
		}
	}
	for _, text := range b.Strange {
		l.wrong("%s", text)
	}
	for _, partition := range slices.Sorted(maps.Keys(b.Left)) {
		if n := b.Left[partition]; n != 0 {
			l.wrong("partition %d: %d orders are done and not committed", partition, n)
		}
	}
	b.auditCommits(l)
	b.auditDuplicates(l, requests)
	return l
}

// add takes one order's check into the ledger. An order counts once, however much is the matter with it.
func (l *Ledger) add(c *check) {
	if slices.ContainsFunc(c.requests, Request.Acknowledged) {
		l.Acknowledged++
	}
	if len(c.outcomes) > 0 {
		switch c.outcomes[0].Outcome {
		case schema.Unattributed:
			l.Unattributed++
		case schema.DeadLetter:
			l.DeadLetters++
		}
	}
	if len(c.lost) > 0 {
		l.Lost++
	}
	if len(c.wrong) > 0 {
		l.Wrong++
	}
	if problems := slices.Concat(c.lost, c.wrong); len(problems) > 0 {
		l.find("%s at %v: %s", c.order.ID, c.order.Place, strings.Join(problems, "; "))
	}
}

// check is the audit of one order.
type check struct {
	order       *Order
	requests    []Request
	judged      []cjtest.Received
	outcomes    []schema.OutcomeRecord
	letters     []Letter
	lost, wrong []string
}

func (c *check) isLost(format string, args ...any) {
	c.lost = append(c.lost, fmt.Sprintf(format, args...))
}
func (c *check) isWrong(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *check) run() {
	acknowledged := slices.ContainsFunc(c.requests, Request.Acknowledged)
	rejected := c.order.Reason == schema.ReasonRejected
	switch sends := c.order.Kind == schema.Acknowledged; {
	case sends && !acknowledged:
		c.isLost("CJ never acknowledged it")
	case !sends && acknowledged:
		c.isWrong("CJ acknowledged it, but it should end as %s, %s", c.order.Kind, c.order.Reason)
	case !sends && !rejected && len(c.requests) > 0:
		c.isWrong("CJ received it, but it should end as %s, %s", c.order.Kind, c.order.Reason)
	}
	c.said()
	c.ended()
	c.buried()
}

// said compares what CJ was told: the same at every attempt, and what the order says.
func (c *check) said() {
	for _, r := range c.requests {
		if r.Query != c.requests[0].Query {
			c.isWrong("its queries differ, %s's of %s and %s's of %s", c.requests[0].Relay, c.requests[0].Arrived.Format(clock), r.Relay, r.Arrived.Format(clock))
			break
		}
	}
	for _, r := range c.judged {
		if r.Verdict == cjtest.Refused && c.order.Reason != schema.ReasonRejected {
			c.isWrong("CJ would refuse it: %s", strings.Join(r.Problems, "; "))
		}
		if r.Total != c.order.Total {
			c.isWrong("CJ makes %s of it instead of %s", r.Total, c.order.Total)
		}
		if r.ClickID != c.order.Click {
			c.isWrong("CJ got another click")
		}
	}
}

// clock is how a time of day is shown.
const clock = "15:04:05.000"

// ended checks how the order ended. After a crash the same outcome may stand there twice, but never another one.
func (c *check) ended() {
	if len(c.outcomes) == 0 {
		c.isLost("it has no outcome")
	}
	for _, end := range c.outcomes {
		if end.Outcome != c.order.Kind || end.Reason != c.order.Reason {
			c.isWrong("it ended as %s, %s instead of %s, %s", end.Outcome, end.Reason, c.order.Kind, c.order.Reason)
		}
		if end.CJEvent != c.order.Click {
			c.isWrong("its outcome names another click")
		}
		if len(c.requests) == 0 {
			continue
		}
		if sum := sha256.Sum256([]byte(c.requests[0].Query)); end.QuerySHA256 != hex.EncodeToString(sum[:]) {
			c.isWrong("its outcome has the hash of another query")
		}
	}
}

// buried checks that a dead letter, and nothing else, is there with its original bytes.
func (c *check) buried() {
	if c.order.Kind != schema.DeadLetter {
		if len(c.letters) > 0 {
			c.isWrong("it is among the dead letters")
		}
		return
	}
	if len(c.letters) == 0 {
		c.isLost("it is not among the dead letters")
	}
	for _, letter := range c.letters {
		if !bytes.Equal(letter.Value, c.order.Value) || string(letter.Key) != c.order.ID || letter.Trace != c.order.ID {
			c.isLost("its dead letter does not have the original bytes")
		}
		if letter.Reason != string(c.order.Reason) {
			c.isWrong("its dead letter says %s instead of %s", letter.Reason, c.order.Reason)
		}
	}
}

// auditCommits demands that no committed offset went back or passed an order that had no outcome.
func (b *Books) auditCommits(l *Ledger) {
	last := map[int32]int64{}
	for _, c := range b.Commits {
		if before, any := last[c.Partition]; any && c.Offset < before {
			l.wrong("partition %d was committed up to %d, and at %s back to %d", c.Partition, before, c.At.Format(clock), c.Offset)
		}
		last[c.Partition] = c.Offset
	}
	// Commits of a partition never go back, or that was found above: the first that covers an order is what counts.
	byPartition := map[int32][]Commit{}
	for _, c := range b.Commits {
		byPartition[c.Partition] = append(byPartition[c.Partition], c)
	}
	for _, o := range b.Orders {
		commits := byPartition[o.Place.Partition]
		i := slices.IndexFunc(commits, func(c Commit) bool { return c.covers(o.Place.Offset) })
		if i < 0 || len(b.Outcomes[o.Place]) == 0 {
			continue // not committed, or lost: both are found elsewhere
		}
		// Both times are whole milliseconds.
		if end := b.Outcomes[o.Place][0].At; end.After(commits[i].At) {
			l.wrong("%s at %v was committed at %s and had its first outcome at %s", o.ID, o.Place, commits[i].At.Format(clock), end.Format(clock))
		}
	}
}
