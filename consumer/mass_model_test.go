package consumer

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever orders, answers, losses, operators and clocks do, an order goes exactly when the rule says so, tries
// keep their pace, and when the cause is gone everything ends.
func TestMassRuleIsTheContract(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newMassMachine(t)
			t.Repeat(map[string]func(*rapid.T){
				"arrive":  m.arrive,
				"answer":  m.answer,
				"elapse":  m.elapse,
				"lose":    m.lose,
				"turn":    m.turn,
				"release": m.release,
				"stop":    m.stop,
				"":        m.observe,
			})
			m.recovers(t)
		})
	})
}

// contract is the mass rule as it is written down: it keeps every verdict there was and looks at them all.
type contract struct {
	window int
	past   []verdict
	// came tells for each order with which verdict it came to be as it is now.
	came map[string]int
}

func (c *contract) note(order string, rejected, held bool) {
	at := slices.Index(c.latest(), order)
	known := at >= 0 || held
	c.past = append(c.past, verdict{order, rejected})
	if !known || !rejected || at >= 0 && !c.past[c.came[order]].rejected {
		c.came[order] = len(c.past) - 1
	}
}

// latest are the latest distinct orders.
func (c *contract) latest() []string {
	var orders []string
	for i := len(c.past) - 1; i >= 0 && len(orders) < c.window; i-- {
		if order := c.past[i].order; c.came[order] == i {
			orders = append(orders, order)
		}
	}
	return orders
}

func (c *contract) ruling() ruling {
	latest := c.latest()
	if len(latest) < c.window {
		return tooFew
	}
	rejected := 0
	for _, order := range latest {
		if c.past[c.came[order]].rejected {
			rejected++
		}
	}
	if float64(rejected) < float64(len(latest))/2 {
		return theOrder
	}
	return everything
}

// massMachine drives a rule and knows what it may do.
type massMachine struct {
	*stand
	contract contract
	// broken is the cause: while it lasts every order is rejected. Otherwise the bad ones are.
	broken bool
	bad    map[*suspect]bool
	// firstHeld is when each order that is held was first rejected, released whom an operator has released.
	firstHeld map[*suspect]time.Time
	released  map[*suspect]bool
	stopped   bool
	// inHand are the orders that are being tried, waiting the others that are held.
	inHand, waiting []*suspect
	// mayGo are those that must have gone without another try.
	mayGo []*suspect
	// credit is how many tries there may be until something else gives reason to.
	credit   int
	credited time.Time
}

func newMassMachine(t *rapid.T) *massMachine {
	config := massConfig{
		window: rapid.IntRange(1, 12).Draw(t, "window"),
		wait:   rapid.SampledFrom([]time.Duration{time.Second, 20 * time.Second}).Draw(t, "wait"),
		pace:   rapid.SampledFrom([]time.Duration{2 * time.Second, 5 * time.Second}).Draw(t, "pace"),
	}
	return &massMachine{
		stand: newStand(config), contract: contract{window: config.window, came: map[string]int{}},
		bad: map[*suspect]bool{}, firstHeld: map[*suspect]time.Time{}, released: map[*suspect]bool{}, credited: time.Now(),
	}
}

func (m *massMachine) arrive(t *rapid.T) {
	for range rapid.IntRange(1, 2*m.config.window).Draw(t, "orders") {
		one := m.suspect()
		one.redriven = rapid.IntRange(0, 4).Draw(t, "redriven") == 0
		if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
			one.key = fmt.Sprint("order-", rapid.IntRange(1, m.made).Draw(t, "which"))
		}
		m.bad[one] = rapid.IntRange(0, 3).Draw(t, "bad") == 0
		m.verdict(t, one)
		m.observe(t)
	}
}

// answer gives the verdict on an order that is being tried.
func (m *massMachine) answer(t *rapid.T) {
	if len(m.inHand) == 0 {
		t.Skip("nothing is being tried")
	}
	m.verdict(t, m.takeInHand(rapid.IntRange(0, len(m.inHand)-1).Draw(t, "order")))
}

func (m *massMachine) takeInHand(at int) *suspect {
	one := m.inHand[at]
	m.inHand = slices.Delete(m.inHand, at, at+1)
	return one
}

// verdict is what the stage says about an order now. The rule must do as the contract says.
func (m *massMachine) verdict(t *rapid.T, one *suspect) {
	_, held := m.firstHeld[one]
	before := m.contract.ruling()
	if !m.broken && !m.bad[one] {
		if !one.redriven {
			m.contract.note(one.key, false, held)
		}
		m.end(one)
		m.earn(before, 1)
		switch {
		case held:
			m.cleared(one)
		case !one.redriven:
			m.passed(one.key)
		}
		return
	}
	if !one.redriven {
		m.contract.note(one.key, true, held)
	}
	goes := !m.stopped && (m.contract.ruling() == theOrder || m.released[one])
	switch {
	case goes:
		m.earn(before, map[bool]int{true: 1}[m.released[one]])
		m.end(one)
	case held:
		m.waiting = append(m.waiting, one)
		m.earn(before, 0)
	default:
		m.firstHeld[one] = time.Now()
		m.waiting = append(m.waiting, one)
		m.earn(before, 0)
	}
	require.Equal(t, goes, m.rejected(one, errRejected))
}

// earn notes how many tries a verdict gives reason to.
func (m *massMachine) earn(before ruling, tries int) {
	after := m.contract.ruling()
	m.credit += tries
	if after == theOrder && before == everything {
		m.credit += max(1, m.config.window/2) - 1
	}
	if after == theOrder && before == tooFew {
		m.letGo(func(*suspect) bool { return true })
	}
}

// letGo notes which of those that wait go, unless they are stopped.
func (m *massMachine) letGo(which func(*suspect) bool) {
	for _, one := range slices.Clone(m.waiting) {
		if !m.stopped && which(one) {
			m.mayGo = append(m.mayGo, one)
			m.end(one)
		}
	}
}

func (m *massMachine) end(one *suspect) {
	delete(m.firstHeld, one)
	delete(m.released, one)
	m.waiting = slices.DeleteFunc(m.waiting, func(other *suspect) bool { return other == one })
	m.inHand = slices.DeleteFunc(m.inHand, func(other *suspect) bool { return other == one })
}

func (m *massMachine) elapse(t *rapid.T) {
	time.Sleep(time.Duration(rapid.Int64Range(1, int64(2*max(m.config.wait, m.config.pace))).Draw(t, "time")))
}

// lose drops an order that is held, be it while it is being tried.
func (m *massMachine) lose(t *rapid.T) {
	all := slices.Concat(m.waiting, m.inHand)
	if len(all) == 0 {
		t.Skip("nothing is held")
	}
	one := all[rapid.IntRange(0, len(all)-1).Draw(t, "order")]
	m.end(one)
	m.drop(one)
	if rapid.Bool().Draw(t, "late verdict") {
		require.False(t, m.rejected(one, errRejected))
		m.cleared(one)
	}
}

func (m *massMachine) turn(*rapid.T) { m.broken = !m.broken }

func (m *massMachine) release(*rapid.T) {
	m.stopped = false
	for one := range m.firstHeld {
		m.released[one] = true
	}
	if m.contract.ruling() == tooFew {
		m.letGo(func(*suspect) bool { return true })
	}
	m.credit += max(1, m.config.window/2)
	m.mass.release()
}

func (m *massMachine) stop(*rapid.T) {
	m.stopped = true
	m.mass.stop()
}

// observe checks the tries that were asked for since the last step.
func (m *massMachine) observe(t *rapid.T) {
	tries := m.tried()
	ruling := m.contract.ruling()
	if ruling == tooFew {
		m.letGo(func(one *suspect) bool { return time.Since(m.firstHeld[one]) >= m.config.wait })
	}
	require.ElementsMatch(t, m.mayGo, m.went())
	m.mayGo = nil
	for _, one := range tries {
		require.Contains(t, m.waiting, one, "tried, but not held or tried already")
		require.False(t, m.stopped, "tried, but stopped")
		require.NotEqual(t, tooFew, ruling, "tried without a reason to doubt its verdict")
		m.waiting = slices.DeleteFunc(m.waiting, func(other *suspect) bool { return other == one })
		m.inHand = append(m.inHand, one)
	}
	// Time gives one try a pace, and a timer may have been running for a part of one.
	paces := int(time.Since(m.credited)/m.config.pace) + 1
	require.LessOrEqual(t, len(tries), m.credit+paces, "tried too often")
	if m.credited, m.credit = m.credited.Add(time.Duration(paces-1)*m.config.pace), max(0, m.credit-len(tries)); len(m.waiting) == 0 {
		m.credit = 0
	}
	state := m.state()
	require.Equal(t, len(m.firstHeld), state.Held)
	require.Equal(t, len(m.contract.latest()), state.Latest)
	require.Equal(t, ruling == everything, state.Everything)
	require.Equal(t, len(m.firstHeld) > 0 && (ruling == everything || m.stopped), m.trouble() != nil)
}

// recovers is the second phase: the cause is gone, and nobody stops anything.
func (m *massMachine) recovers(t *rapid.T) {
	m.broken = false
	if m.stopped {
		m.release(t)
	}
	m.settle(t)
	for one := range m.firstHeld {
		require.True(t, m.bad[one], "a good order is held for ever")
	}
	if m.contract.ruling() != everything {
		require.Empty(t, m.firstHeld, "held for ever though the rule lets go")
	}
	// Where bad orders were the latest only good ones can tell. They need not be many.
	for range m.config.window/2 + 1 {
		one := m.suspect()
		m.verdict(t, one)
		m.observe(t)
	}
	if m.contract.ruling() == tooFew {
		time.Sleep(m.config.wait)
	}
	m.settle(t)
	require.Empty(t, m.firstHeld)
	require.Empty(t, m.waiting)
	require.Zero(t, m.state().Held)
	require.NoError(t, m.trouble())
}

// settle answers every try at once, for as long as the orders that are held need at the pace: the one whose pass lets
// the others go may be the last that is tried, and each of those is then tried once more.
func (m *massMachine) settle(t *rapid.T) {
	until := time.Now().Add(m.config.wait + time.Duration(2*len(m.firstHeld)+1)*m.config.pace)
	for {
		synctest.Wait()
		m.observe(t)
		for len(m.inHand) > 0 {
			m.verdict(t, m.takeInHand(0))
			m.observe(t)
		}
		if !time.Now().Before(until) {
			return
		}
		time.Sleep(min(m.config.pace, time.Until(until)))
	}
}
