package consumer

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// outage is a CJ that rejects everything for a while, and orders on their way to it.
type outage struct {
	mass    *mass
	from    time.Time
	lasting time.Duration

	mu                        sync.Mutex
	passed, gone, triesInVain int
	lastPassed                time.Time
}

func (o *outage) isOn() bool { return !time.Now().Before(o.from) && time.Since(o.from) < o.lasting }

// attempt sends an order, whose answer takes a while.
func (o *outage) attempt(one *suspect, isTry bool) {
	time.AfterFunc(300*time.Millisecond, func() {
		if o.isOn() {
			goes := o.mass.rejected(one, errRejected)
			o.mu.Lock()
			defer o.mu.Unlock()
			if goes {
				o.gone++
			}
			if isTry {
				o.triesInVain++
			}
			return
		}
		if isTry {
			o.mass.cleared(one)
		} else {
			o.mass.passed(one.key)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.passed++
		o.lastPassed = time.Now()
	})
}

// For an hour CJ rejects everything, at ten orders a second. It costs those that came before the rule could know,
// and nothing else: not many tries, and no long wait when it is over.
func TestAnHourOfRejectionsCostsNoOrders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const orders = 36_000
		o := &outage{mass: newMass(stageCJ, usual), from: time.Now().Add(time.Minute), lasting: time.Hour}
		// The last order comes while CJ is still broken.
		for i := range orders {
			one := &suspect{key: fmt.Sprint("order-", i)}
			one.again = func() { o.attempt(one, true) }
			o.attempt(one, false)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		o.mu.Lock()
		defer o.mu.Unlock()
		require.Equal(t, orders, o.passed+o.gone)
		require.Less(t, o.gone, usual.window/2)
		require.LessOrEqual(t, o.triesInVain, int(o.lasting/usual.pace))
		require.Less(t, o.lastPassed.Sub(o.from.Add(o.lasting)), 5*time.Minute)
		require.Zero(t, o.mass.state().Held)
	})
}

func BenchmarkMassPassed(b *testing.B) {
	m := newMass(stageCJ, usual)
	keys := make([]string, 1<<12)
	for i := range keys {
		keys[i] = fmt.Sprint("1234567|sale|ORD-2026-", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.passed(keys[i%len(keys)])
	}
}
