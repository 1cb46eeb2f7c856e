package consumer

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// passage is the way of one order: read, join, build, send, and write down how it ended. Each step below
// either goes on to the next one, waits, concludes, or abandons. An order that waits (for the registry, the
// click table, its own time, a backoff) is a timer or a place in a queue; it holds no worker.
type passage struct {
	*life
	record *kgo.Record
	gate   *sessions.Gate

	order   *schema.Order
	query   postback.Query
	origin  schema.Reason
	waits   *breaker.Backoff
	outcome schema.OutcomeRecord
	// trail is what people are shown of the order.
	trail *trail
	// arrived is when this process has read the order; trial and fails tell how it fares at CJ.
	arrived time.Time
	trial   trial
	fails   atomic.Bool
	// suspect is set while a stage has rejected the order and not passed it; judge is that stage's rule.
	suspect *suspect
	judge   *mass
	// reason and cause are why it was rejected; of an order without a click, reason is why it has none.
	reason schema.Reason
	cause  error
	// candidate is set from when it is known what the order would report: its click, or that there is none.
	candidate *candidate
	// awaits is set while fetching pauses because the registry could not be asked about this order.
	awaits bool

	// hands says whether somebody works on the order. Whoever wants to must claim it first, so that a life
	// that ends can take the waiting ones away from their timers and queues.
	hands atomic.Int32
}

// The values of passage.hands.
const (
	busy int32 = iota
	waiting
	gone
)

func newPassage(l *life, record *kgo.Record, gate *sessions.Gate) *passage {
	now := time.Now()
	p := &passage{life: l, record: record, gate: gate, arrived: now,
		trail: newTrail(record.Partition, record.Offset, record.Timestamp, now), outcome: schema.OutcomeRecord{
			Group: l.consumer.config.Group, Topic: record.Topic, Partition: record.Partition, Offset: record.Offset,
		}}
	if from := redrivenFrom(record); from != "" {
		p.trail.is.Steps[0].Detail = "sent again from " + from
	}
	return p
}

// claim takes a waiting order in hand; it fails when the order was abandoned meanwhile.
func (p *passage) claim() bool { return p.hands.CompareAndSwap(waiting, busy) }

// rest lets go of the order and then calls later, which must lead to a claim. A life that has stopped
// meanwhile may have missed this order, so it is abandoned here.
func (p *passage) rest(later func()) {
	p.hands.Store(waiting)
	if p.open.Err() != nil {
		p.abandonWaiting()
		return
	}
	later()
}

// after goes on with step when d has passed.
func (p *passage) after(d time.Duration, step func()) {
	p.rest(func() {
		time.AfterFunc(d, func() {
			if p.claim() {
				step()
			}
		})
	})
}

// abandon ends the passage without an outcome. The offset stays pending for the partition's next owner.
func (p *passage) abandon() {
	p.hands.Store(gone)
	p.leave(p, false)
}

// abandonWaiting does the same to an order that nobody has in hand.
func (p *passage) abandonWaiting() {
	if p.hands.CompareAndSwap(waiting, gone) {
		p.leave(p, false)
	}
}

// wasDone ends an order that this process has done already, in an earlier life of its partition.
func (p *passage) wasDone() bool {
	before, known := p.consumer.memory.recall(p.partition, p.record.Offset)
	switch {
	case !known:
		return false
	case before.durable:
		p.consumer.metrics.alreadyDone.Inc()
		p.trail.step(StepWaits, "its outcome was written before the partition was lost")
		p.leave(p, true)
	default:
		p.outcome = *before.outcome
		p.conclude(p.outcome.Outcome, p.outcome.Reason, nil)
	}
	return true
}

// awaitsConfirmation holds back an order that says it is confirmed a little later than our clock: CJ refuses
// an event in the future, and clocks differ. One that is far ahead is a mistake. It is asked again after the
// wait, since a clock that is being set right runs slower than the timer.
func (p *passage) awaitsConfirmation() bool {
	ahead := time.Until(p.order.ConfirmedAt)
	if ahead <= 0 {
		return false
	}
	if tolerance := p.consumer.config.FutureTolerance; ahead > tolerance {
		p.reject(stageBuild, schema.ReasonFuture, &schema.FieldError{
			Field: "confirmed_at", Value: p.order.ConfirmedAt.Format(time.RFC3339),
			Rule: "lies more than " + tolerance.String() + " in the future: check the platform's clock and time zone",
		})
		return true
	}
	p.trail.step(StepWaits, "it is confirmed at "+p.order.ConfirmedAt.Format(time.RFC3339)+" by the platform's clock")
	p.trail.doing(AwaitingItsTime)
	p.after(ahead, func() {
		// A click may have come meanwhile that the order's time is after.
		p.gate = p.consumer.config.Clicks.Gate()
		p.intake(p)
	})
	return true
}

// joinAlone settles an order that needs no lookup, and reports whether it did.
func (p *passage) joinAlone() bool {
	order := p.order
	switch {
	case p.recalled():
		return true
	case order.Consent != nil && !*order.Consent:
		p.misses(schema.ReasonNoConsent)
		return true
	case order.CJEvent != "" && schema.ValidClickID(order.CJEvent) == nil:
		p.build(order.CJEvent, schema.ReasonCarried)
		return true
	case order.CJEvent != "":
		p.consumer.metrics.illegalCarried.Inc()
	}
	if order.SessionID == "" {
		p.misses(schema.ReasonNoSession)
		return true
	}
	return false
}

// join asks the click table, which must be fresh for this order.
func (p *passage) join() {
	click, miss, err := p.consumer.config.Clicks.Lookup(p.partition, p.order.SessionID, p.order.ConfirmedAt)
	switch {
	case err != nil:
		// The table says so itself, in readiness; no verdict is better than a wrong one.
		p.after(p.backoff(), func() { p.intake(p) })
	case miss == schema.ReasonWrongPartition:
		p.reject(stagePartition, miss, &schema.FieldError{
			Field: "session_id", Value: fmt.Sprintf("of an order in partition %d", p.partition),
			Rule: "is in another partition by clicks.partitioner: key the orders by session like the clicks, or set clicks.join to global",
		})
	case miss != "":
		p.passes(stagePartition)
		p.misses(miss)
	default:
		p.passes(stagePartition)
		p.build(click.ID, schema.ReasonJoined)
	}
}

// build makes the query, which never changes from here on, and queues the order for sending.
func (p *passage) build(click string, origin schema.Reason) {
	query, err := p.consumer.config.Builder.Build(p.order, click, time.Now())
	if err != nil {
		p.reject(stageBuild, schema.ReasonUnbuildable, err)
		return
	}
	p.query, p.origin = query, origin
	p.outcome.CJEvent, p.outcome.QuerySHA256 = click, query.SHA256()
	p.trail.change(func(is *Trail) { is.Query = query })
	p.trail.step(StepJoined, string(origin))
	p.waits = nil
	p.passes(stageBuild)
	p.compete()
}

// enqueue puts the order where the senders find it.
func (p *passage) enqueue() {
	p.trail.doing(Queued)
	p.rest(func() { p.consumer.queue.put(p) })
}

// attempt makes one request, when the breaker lets it, tells the breaker what the answer says about CJ, and
// goes on as the answer says about the order.
func (p *passage) attempt() {
	c := p.consumer
	permit, err := c.config.Breaker.Acquire(p.open, p.outcome.Key())
	if err != nil {
		p.abandon()
		return
	}
	defer permit.Done(breaker.Cancelled)
	p.trail.doing(BeingSent)
	answer := c.ask(p)
	c.metrics.attempts[answer.Class].Inc()
	if answer.Repeats > 0 {
		c.metrics.attempts[postback.Retry].Add(float64(answer.Repeats))
		permit.Repeated(answer.Repeats)
	}
	c.metrics.attemptSeconds.Observe(answer.Latency.Seconds())
	if answer.Class == postback.Cancelled {
		p.abandon()
		return
	}
	p.outcome.Attempts += 1 + answer.Repeats
	p.outcome.Status = answer.Status
	p.trail.note(attempted(answer))
	if answer.RetryAfter > 0 {
		c.config.Breaker.Hold(min(answer.RetryAfter, c.config.RetryAfterCap))
	}
	switch answer.Class {
	case postback.Acknowledged:
		permit.Done(breaker.Succeeded)
		c.taken.Add(1)
		c.health.endpoint.over()
		p.passes(stageCJ)
		p.conclude(schema.Acknowledged, p.origin, nil)
	case postback.Rejected:
		permit.Done(breaker.Succeeded)
		c.health.endpoint.over()
		p.fails.Store(false)
		p.reject(stageCJ, schema.ReasonRejected, answer.Err)
	case postback.Setup:
		permit.Done(p.failure())
		c.health.endpoint.trouble(answer.Err)
		p.fails.Store(false)
		p.again(answer)
	default:
		permit.Done(p.failure())
		p.fails.Store(true)
		if !p.parksAfterFailure(answer.Err) {
			p.again(answer)
		}
	}
}

// ask sends the order. An answer that says nothing is nobody's acknowledgement, and must not stop the process either.
func (c *Consumer) ask(p *passage) postback.Answer {
	answer := c.config.Sender.Send(p.work, p.query)
	if c.metrics.attempts[answer.Class] == nil {
		answer.Class, answer.Err = postback.Setup, fmt.Errorf("the sender's answer is of no known class (%d)", answer.Class)
	}
	return answer
}

// failure notes that CJ failed the order once more, and is what that says about CJ.
func (p *passage) failure() breaker.Result {
	p.trial.note(p.consumer.taken.Load())
	if p.trial.alone {
		return breaker.FailedAlone
	}
	return breaker.Failed
}

// loudEvery is after how many attempts an order's failure is a warning. One failure heals by itself, and an
// outage would write a line for each order.
const loudEvery = 5

// again sends the order later. While the circuit is open it sets the pace itself; a backoff on top would only leave it
// without orders for its probes.
func (p *passage) again(answer postback.Answer) {
	level := slog.LevelDebug
	if before := p.outcome.Attempts - 1 - answer.Repeats; p.outcome.Attempts/loudEvery > before/loudEvery {
		level = slog.LevelWarn
	}
	p.consumer.lastFailure.Store(&answer.Err)
	p.consumer.config.Log.Log(p.work, level, "not acknowledged, will be sent again", "order_id", shownID(p.outcome.OrderID),
		"attempts", p.outcome.Attempts, "status", answer.Status, "error", answer.Err)
	if p.consumer.config.Breaker.State() == breaker.Open {
		p.giveWay()
		return
	}
	p.trail.doing(BackingOff)
	p.after(p.backoff(), p.enqueue)
}

// courtesy is how long a half-open circuit is left to orders that have not failed in this outage, and to the reading
// of some.
const courtesy = time.Second

// giveWay waits until the circuit has been half-open for a while, and then for its turn as others do. Orders that
// nobody but themselves can be blamed for would otherwise be there first, each time, and open it again before a new
// one is even read. Where there is no other order it probes alone.
func (p *passage) giveWay() {
	gate := p.consumer.config.Breaker
	if gate.State() != breaker.Open {
		p.enqueue()
		return
	}
	p.trail.doing(BackingOff)
	p.after(time.Until(gate.OpenUntil())+courtesy, p.giveWay)
}

// attempted is an attempt as a step.
func attempted(answer postback.Answer) Step {
	detail := answer.Class.String()
	if answer.Err != nil {
		detail += ": " + answer.Err.Error()
	}
	if answer.Repeats > 0 {
		detail += " (sent again at once, since a kept connection was dead)"
	}
	return Step{At: time.Now(), What: StepAttempt, Status: answer.Status, Latency: answer.Latency, Detail: detail}
}

// backoff is the next wait of the step that the order is at.
func (p *passage) backoff() time.Duration {
	if p.waits == nil {
		p.waits = p.consumer.newBackoff()
	}
	return p.waits.Next()
}

// loud is what the log says of an order that went to the dead-letter topic.
func loud(kind schema.Kind) string {
	if kind == schema.Parked {
		return "order parked in the dead-letter topic: it cannot be delivered now, and holds up others; send it again from there"
	}
	return "dead letter"
}

// ended is why an order ended, as a step tells it.
func ended(reason schema.Reason, cause error) string {
	if cause == nil {
		return string(reason)
	}
	return string(reason) + ": " + cause.Error()
}

// conclude writes down how the order ended, and completes its offset when that is durable.
func (p *passage) conclude(kind schema.Kind, reason schema.Reason, cause error) {
	c := p.consumer
	p.outcome.Outcome, p.outcome.Reason, p.outcome.At = kind, reason, time.Now().UTC().Truncate(time.Millisecond)
	p.trail.change(func(is *Trail) { is.Outcome, is.Reason, is.Doing = kind, reason, Writing })
	p.trail.step(string(kind), ended(reason, cause))
	finish := func(durable bool) {
		if durable {
			p.trail.step(StepWritten, "")
			c.memory.durable(p.partition, p.record.Offset)
			c.metrics.outcomes.WithLabelValues(string(kind), string(reason)).Inc()
		}
		p.leave(p, durable)
	}
	if kind == schema.Acknowledged {
		c.memory.acknowledged(p.outcome)
		if p.candidate != nil {
			// Only now: one that waits for it may be the same record in a later life of its partition.
			c.duplicates.acknowledge(p.candidate)
		}
	}
	if kind != schema.DeadLetter && kind != schema.Parked {
		c.journal.outcome(p.work, p.outcome, finish)
		return
	}
	c.config.Log.Warn(loud(kind), "reason", reason, "error", cause, "order_id", shownID(p.outcome.OrderID),
		"partition", p.partition, "offset", p.record.Offset)
	c.journal.deadLetter(p.work, p.record, p.outcome, cause, func(durable bool) {
		if !durable {
			finish(false)
			return
		}
		c.journal.outcome(p.work, p.outcome, finish)
	})
}
