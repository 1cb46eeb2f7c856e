package breaker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cjrelay/cjrelay/breaker"
)

// Whatever happened before, once the remote side is healthy everybody is let through soon. On the way there
// the rules of the gate hold: never too many in flight, nothing in an open circuit or a hold, no more probes
// than allowed, nobody overtakes.
func TestNeverStuck(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newMachine(t)
			defer m.stop()
			t.Repeat(map[string]func(*rapid.T){
				"arrive":        m.arrive,
				"answer":        m.answer,
				"answerAll":     m.answerAll,
				"giveUp":        m.giveUp,
				"giveUpAtDone":  m.giveUpAtDone,
				"hold":          m.hold,
				"suspend":       m.suspend,
				"resume":        m.resume,
				"pass":          m.pass,
				"passUntilOpen": m.passUntilOpen,
				"":              m.observe,
			})
			m.recovers(t)
		})
	})
}

// machine drives a gate and knows what it may do.
type machine struct {
	gate   *breaker.Gate
	config breaker.Config
	ctx    context.Context
	stop   context.CancelFunc
	made   int
	// began is when the gate was made, started how many attempts it let through.
	began   time.Time
	started int

	// waiting are the requests without an answer, in their order; flying those with a permit.
	waiting, flying []*request
	state           breaker.State
	heldUntil       time.Time
	suspended       bool
	// openedAt is when the circuit last opened.
	openedAt time.Time
	// probes are the requests admitted since the circuit turned half-open, without those cancelled.
	probes map[*request]bool
	// succeeded are the orders among them that have.
	succeeded map[string]bool
	// failing are the orders that failed since the circuit last changed, where it was closed.
	failing map[string]bool
}

func newMachine(t *rapid.T) *machine {
	m := &machine{probes: map[*request]bool{}, succeeded: map[string]bool{}, failing: map[string]bool{}, config: breaker.Config{
		Concurrency:       rapid.IntRange(1, 12).Draw(t, "concurrency"),
		ConsecutiveOrders: rapid.IntRange(1, 8).Draw(t, "consecutive orders"),
		FailureRate:       rapid.SampledFrom([]float64{0.1, 0.5, 1}).Draw(t, "failure rate"),
		MinSamples:        rapid.IntRange(1, 10).Draw(t, "min samples"),
		Open:              rapid.SampledFrom([]time.Duration{1, time.Millisecond, 10 * time.Second}).Draw(t, "open"),
		Probes:            rapid.IntRange(1, 5).Draw(t, "probes"),
		Rate:              rapid.SampledFrom([]float64{0, 0, 0.3, 7, 1000}).Draw(t, "rate"),
		Window:            rapid.SampledFrom([]time.Duration{time.Nanosecond, 10*time.Second + 7, time.Minute}).Draw(t, "window"),
	}}
	m.gate, m.began = breaker.New(m.config), time.Now()
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m
}

func (m *machine) arrive(t *rapid.T) {
	for range rapid.IntRange(1, 2*m.config.Concurrency).Draw(t, "orders") {
		m.made++
		order := fmt.Sprint("order-", m.made)
		if m.made > 1 && rapid.Bool().Draw(t, "again") {
			order = fmt.Sprint("order-", rapid.IntRange(1, m.made-1).Draw(t, "which"))
		}
		m.waiting = append(m.waiting, ask(m.ctx, m.gate, order))
	}
}

func (m *machine) answer(t *rapid.T) {
	if len(m.flying) == 0 {
		t.Skip("nothing in flight")
	}
	at := rapid.IntRange(0, len(m.flying)-1).Draw(t, "attempt")
	m.land(t, at)
}

func (m *machine) answerAll(t *rapid.T) {
	for len(m.flying) > 0 {
		m.land(t, 0)
		m.observe(t)
	}
}

// land ends one attempt.
func (m *machine) land(t *rapid.T, at int) {
	r := m.flying[at]
	m.flying = slices.Delete(m.flying, at, at+1)
	result := rapid.SampledFrom([]breaker.Result{breaker.Cancelled, breaker.Succeeded, breaker.Failed, breaker.FailedAlone}).Draw(t, "result")
	isProbe, before := m.state == breaker.HalfOpen && m.probes[r], m.gate.State()
	if isProbe && (result == breaker.Cancelled || result == breaker.FailedAlone || result == breaker.Succeeded && m.succeeded[r.order]) {
		delete(m.probes, r) // it says nothing new, and frees its place
	}
	if isProbe && result == breaker.Succeeded {
		m.succeeded[r.order] = true
	}
	if before == breaker.Closed && result != breaker.Succeeded && result != breaker.Cancelled {
		m.failing[r.order] = true
	}
	r.permit.Done(result)
	m.judge(t, isProbe, before, result)
	if rapid.Bool().Draw(t, "twice") {
		r.permit.Done(breaker.Succeeded)
	}
}

// judge checks what one result has made of the circuit.
func (m *machine) judge(t *rapid.T, isProbe bool, before breaker.State, result breaker.Result) {
	after := m.gate.State()
	switch {
	case isProbe && result == breaker.Failed:
		require.Equal(t, breaker.Open, after, "the failure of a probe did not open it")
	case isProbe && result == breaker.Succeeded:
		require.Equal(t, len(m.succeeded) >= m.config.Probes, after == breaker.Closed, "%d of %d different orders succeeded", len(m.succeeded), m.config.Probes)
	case before == breaker.HalfOpen || result == breaker.Succeeded || result == breaker.Cancelled:
		require.Equal(t, before, after, "%v decided", result)
	case after == breaker.Open && before == breaker.Closed:
		require.Greater(t, len(m.failing), 1, "one order opened it")
	}
}

func (m *machine) giveUp(t *rapid.T) {
	if len(m.waiting) == 0 {
		t.Skip("nobody waits")
	}
	m.waiting[rapid.IntRange(0, len(m.waiting)-1).Draw(t, "request")].cancel()
}

// giveUpAtDone lets a waiter give up in the moment in which a permit may come to it.
func (m *machine) giveUpAtDone(t *rapid.T) {
	if len(m.waiting) == 0 || len(m.flying) == 0 {
		t.Skip("nobody waits, or nothing in flight")
	}
	go m.waiting[0].cancel()
	m.land(t, 0)
}

func (m *machine) hold(t *rapid.T) {
	d := time.Duration(rapid.Int64Range(-1, int64(30*time.Second)).Draw(t, "hold"))
	m.gate.Hold(d)
	if until := time.Now().Add(d); until.After(m.heldUntil) {
		m.heldUntil = until
	}
}

func (m *machine) suspend(t *rapid.T) {
	require.Equal(t, !m.suspended, m.gate.Suspend())
	m.suspended = true
}

func (m *machine) resume(t *rapid.T) {
	require.Equal(t, m.suspended, m.gate.Resume())
	m.suspended = false
}

func (m *machine) pass(t *rapid.T) {
	time.Sleep(time.Duration(rapid.Int64Range(1, int64(2*time.Minute)).Draw(t, "time")))
}

// passUntilOpen stops around the moment in which an open circuit turns half-open.
func (m *machine) passUntilOpen(t *rapid.T) {
	if m.state != breaker.Open {
		t.Skip("not open")
	}
	time.Sleep(time.Until(m.openedAt.Add(m.config.Open)) + time.Duration(rapid.Int64Range(-1, 1).Draw(t, "off")))
}

// observe checks the rules after each step. Within a step either time passes or attempts end, never both.
func (m *machine) observe(t *rapid.T) {
	synctest.Wait()
	before := m.state
	m.state = m.gate.State()
	synctest.Wait() // asking may turn the circuit half-open
	if m.state == breaker.Open && before != breaker.Open {
		m.openedAt = time.Now()
	}
	if m.state != before {
		clear(m.probes)
		clear(m.succeeded)
		clear(m.failing)
	}
	held := time.Now().Before(m.heldUntil)
	require.Equal(t, held, m.gate.Held())

	var left []*request
	for _, r := range m.waiting {
		select {
		case <-r.answered:
		default:
			left = append(left, r)
			continue
		}
		if r.err != nil {
			require.ErrorIs(t, r.err, context.Canceled)
			require.Nil(t, r.permit)
			continue
		}
		require.Empty(t, left, "somebody was overtaken")
		require.False(t, r.at.Before(m.heldUntil), "started while held")
		require.False(t, m.suspended, "started while suspended")
		require.NotEqual(t, breaker.Open, m.state, "started while open")
		require.False(t, before == breaker.Open && !r.at.After(m.openedAt.Add(m.config.Open)), "started before its time")
		m.started++
		m.flying = append(m.flying, r)
		m.probes[r] = true
	}
	m.waiting = left
	require.LessOrEqual(t, len(m.flying), m.config.Concurrency)
	if rate := m.config.Rate; rate > 0 {
		atOnce := max(1, rate/10)
		require.LessOrEqual(t, float64(m.started), atOnce+rate*time.Since(m.began).Seconds()+0.001, "faster than the rate")
	}
	if m.state == breaker.HalfOpen {
		require.LessOrEqual(t, len(m.probes), m.config.Probes)
	}
}

// recovers is the second phase: what is in flight ends somehow, and from then on every attempt succeeds but those of one
// order, perhaps, that is known to fail alone. It may be there where the circuit is to be closed.
func (m *machine) recovers(t *rapid.T) {
	const latency = 50 * time.Millisecond
	m.answerAll(t)
	m.resume(t)
	for range m.config.Probes + 2*m.config.Concurrency {
		m.made++
		m.waiting = append(m.waiting, ask(m.ctx, m.gate, fmt.Sprint("order-", m.made)))
	}
	poisoned, healed := context.WithCancel(m.ctx)
	var poison, through sync.WaitGroup
	if m.gate.State() != breaker.Closed && rapid.Bool().Draw(t, "poisoned") {
		poison.Go(func() {
			for ; poisoned.Err() == nil; time.Sleep(time.Second) {
				if permit, err := m.gate.Acquire(poisoned, "poison"); err == nil {
					permit.Done(breaker.FailedAlone)
				}
			}
		})
	}
	for _, r := range m.waiting {
		through.Go(func() {
			if <-r.answered; r.err == nil {
				time.Sleep(latency)
				r.permit.Done(breaker.Succeeded)
			}
		})
	}
	// Even one by one they need no longer than this.
	bound := max(time.Until(m.heldUntil), 0) + m.config.Open + time.Duration(len(m.waiting))*latency
	if m.config.Rate > 0 {
		// The poison takes every second turn at most.
		bound += time.Duration(float64(2*len(m.waiting)+2) / m.config.Rate * float64(time.Second))
	}
	deadline := time.AfterFunc(bound+time.Millisecond, m.stop)
	through.Wait()
	deadline.Stop()
	healed()
	poison.Wait()
	require.NoError(t, m.ctx.Err(), "stuck in state %v with a healthy remote side", m.gate.State())
	require.Equal(t, breaker.Closed, m.gate.State())

	// No place was lost on the way.
	for i := range m.config.Concurrency {
		r := ask(m.ctx, m.gate, fmt.Sprint("capacity-", i))
		m.pace()
		require.True(t, r.admitted(), "place %d of %d is lost", i+1, m.config.Concurrency)
		defer r.permit.Done(breaker.Cancelled)
	}
	extra := ask(m.ctx, m.gate, "one too many")
	m.pace()
	require.False(t, extra.admitted())
	extra.cancel()
	<-extra.answered
}

// pace waits until the rate allows one more.
func (m *machine) pace() {
	if m.config.Rate > 0 {
		time.Sleep(time.Duration(float64(time.Second)/m.config.Rate) + time.Millisecond)
		synctest.Wait()
	}
}

// One order that always fails, in a backlog, keeps turning up among the probes. It may delay the others but
// not for ever.
func TestAnOrderThatAlwaysFailsDoesNotBlockTheOthers(t *testing.T) {
	for _, backlog := range []int{3, 10, 200} {
		t.Run(fmt.Sprintf("Backlog%d", backlog), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate := opened(t, breaker.Config{})
				ctx, cancel := context.WithCancel(t.Context())
				var poison, others sync.WaitGroup
				poison.Go(func() {
					for waits := breaker.NewBackoff(500*time.Millisecond, time.Minute); ctx.Err() == nil; time.Sleep(waits.Next()) {
						if permit, err := gate.Acquire(ctx, "poison"); err == nil {
							permit.Done(breaker.Failed)
						}
					}
				})
				synctest.Wait()
				start := time.Now()
				for _, order := range orders("good", backlog) {
					others.Go(func() {
						permit, err := gate.Acquire(ctx, order)
						if err == nil {
							time.Sleep(50 * time.Millisecond)
							permit.Done(breaker.Succeeded)
						}
					})
				}
				others.Wait()
				took := time.Since(start)
				cancel()
				poison.Wait()
				require.Less(t, took, 10*time.Minute)
			})
		})
	}
}
