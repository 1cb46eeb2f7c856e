package demo

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// books are everything that can be seen of a demo from outside of the relay.
type books struct {
	seed  uint64
	start time.Time
	// places are where Kafka put each shopper's order, by the shopper's number.
	places []place
	// endings and letters are the outcomes and dead-letter topics, by the place of the order.
	endings map[place][]ending
	letters map[place][]deadLetter
	// strange describes records of these topics that should not be there.
	strange []string
	// received is what CJ received.
	received []cjtest.Received
	// uncommitted is how many offsets of each partition lie past the committed one.
	uncommitted map[int32]int64
}

// postbacks are what CJ received for one order.
type postbacks struct {
	first        *cjtest.Received
	acknowledged int
	refused      *cjtest.Received
	// differ is set when an attempt said something else than the first one.
	differ bool
}

// audit checks the books against the truth.
func audit(b *books) *Ledger {
	l := &Ledger{Orders: len(b.places), Seed: b.seed, reasons: map[schema.Kind]map[schema.Reason]int{}}
	crowd := newCrowd(b.seed)
	sent := b.postbacks(l, crowd)
	for i, place := range b.places {
		s := crowd.shopper(i, b.start)
		check := &check{shopper: s, sent: sent[i], endings: b.endings[place], letters: b.letters[place]}
		check.run()
		l.add(check)
	}
	for _, record := range b.strange {
		l.wrong("%s", record)
	}
	for _, partition := range slices.Sorted(maps.Keys(b.uncommitted)) {
		if n := b.uncommitted[partition]; n != 0 {
			l.wrong("partition %d: %d orders are done but not committed", partition, n)
		}
	}
	return l
}

// postbacks sorts what CJ received by shopper.
func (b *books) postbacks(l *Ledger, crowd *crowd) []postbacks {
	sent := make([]postbacks, len(b.places))
	for k := range b.received {
		r := &b.received[k]
		i, ours := crowd.number(r.OrderID)
		if !ours || i >= len(sent) {
			l.wrong("CJ got a postback of order %s, which nobody made", schema.Quoted(r.OrderID))
			continue
		}
		p := &sent[i]
		if p.first == nil {
			p.first = r
		}
		p.differ = p.differ || r.Query != p.first.Query
		if r.Verdict == cjtest.Refused {
			p.refused = r
		}
		if r.Status >= 200 && r.Status <= 299 {
			p.acknowledged++
		}
	}
	return sent
}

// add takes one order's check into the ledger.
func (l *Ledger) add(c *check) {
	if c.shopper.kind == schema.Acknowledged {
		l.WithClick++
	}
	if c.sent.acknowledged > 0 {
		l.Acknowledged++
		l.Duplicates += c.sent.acknowledged - 1
	}
	if len(c.endings) > 0 {
		end := c.endings[0]
		switch end.kind {
		case schema.Unattributed:
			l.Unattributed++
		case schema.DeadLetter:
			l.DeadLetter++
		}
		if l.reasons[end.kind] == nil {
			l.reasons[end.kind] = map[schema.Reason]int{}
		}
		l.reasons[end.kind][end.reason]++
	}
	// An order counts once, however much is the matter with it.
	if len(c.lost) > 0 {
		l.Lost++
	}
	if len(c.wrong) > 0 {
		l.Wrong++
	}
	if problems := slices.Concat(c.lost, c.wrong); len(problems) > 0 {
		l.find("%s (%s): %s", schema.Quoted(c.shopper.order.id), c.shopper.scenario, strings.Join(problems, "; "))
	}
}

// check is the audit of one order.
type check struct {
	shopper     *shopper
	sent        postbacks
	endings     []ending
	letters     []deadLetter
	lost, wrong []string
}

func (c *check) isLost(format string, args ...any) {
	c.lost = append(c.lost, fmt.Sprintf(format, args...))
}
func (c *check) isWrong(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *check) run() {
	if c.shopper.kind == schema.Acknowledged {
		c.shouldBeAcknowledged()
	} else {
		c.shouldNotBeAcknowledged()
	}
	if c.sent.differ {
		c.isWrong("its attempts differ")
	}
	c.outcome()
	c.letter()
}

func (c *check) shouldBeAcknowledged() {
	if c.sent.acknowledged == 0 {
		c.isLost("CJ never acknowledged it")
	}
	if c.sent.refused != nil {
		c.isWrong("CJ refused it: %s", strings.Join(c.sent.refused.Problems, "; "))
	}
	if c.sent.first == nil {
		return
	}
	if names := differing(c.shopper.order.parameters(c.shopper.clickID), c.sent.first.Params()); len(names) > 0 {
		c.isWrong("CJ got another %s", strings.Join(names, ", "))
	}
	if want, got := c.shopper.order.total().String(), c.sent.first.Total; want != got {
		c.isWrong("CJ makes %s of it instead of %s", got, want)
	}
}

func (c *check) shouldNotBeAcknowledged() {
	switch {
	case c.sent.acknowledged > 0:
		c.isWrong("CJ acknowledged it, but it should end as %s", c.should())
	case c.sent.first != nil && c.shopper.reason != schema.ReasonRejected:
		c.isWrong("CJ got it, but it should end as %s", c.should())
	case c.sent.refused == nil && c.shopper.reason == schema.ReasonRejected:
		c.isLost("CJ never saw it")
	}
}

func (c *check) should() ending {
	return ending{kind: c.shopper.kind, reason: c.shopper.reason, clickID: c.shopper.clickID}
}

// outcome checks how the order ended. The same outcome may be written twice, but never another one.
func (c *check) outcome() {
	if len(c.endings) == 0 {
		c.isLost("it has no outcome")
	}
	for _, end := range c.endings {
		switch {
		case end.kind != c.shopper.kind || end.reason != c.shopper.reason:
			c.isWrong("it ended as %s instead of %s", end, c.should())
		case end.kind == schema.Acknowledged && end.clickID != c.shopper.clickID:
			c.isWrong("its outcome names another click")
		}
	}
}

// letter checks that a dead letter, and nothing else, kept its bytes.
func (c *check) letter() {
	if c.shopper.kind != schema.DeadLetter {
		if len(c.letters) > 0 {
			c.isWrong("it is among the dead letters")
		}
		return
	}
	if len(c.letters) == 0 {
		c.isLost("it is not among the dead letters")
	}
	for _, letter := range c.letters {
		sameValue := bytes.Equal(letter.value, c.shopper.value) && (letter.value == nil) == (c.shopper.value == nil)
		if !sameValue || string(letter.key) != c.shopper.order.id {
			c.isLost("its dead letter does not have the original bytes")
		}
		if letter.reason != string(c.shopper.reason) {
			c.isWrong("its dead letter says %s instead of %s", letter.reason, c.shopper.reason)
		}
	}
}

// differing returns the names of the parameters that are not as expected: missing, other, too many or twice.
func differing(expected map[string]string, got cjtest.Params) []string {
	left := maps.Clone(expected)
	names := map[string]bool{}
	for _, param := range got {
		name := strings.ToLower(param.Name)
		if want, ok := left[name]; !ok || want != param.Value {
			names[strings.ToUpper(name)] = true
		}
		delete(left, name)
	}
	for name := range left {
		names[strings.ToUpper(name)] = true
	}
	return slices.Sorted(maps.Keys(names))
}
