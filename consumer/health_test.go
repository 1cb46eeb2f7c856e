package consumer

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// current is the trouble whether it has lasted or not, and began is since when it is there.
func (c *condition) current() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *condition) began() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since
}

var errAway = errors.New("away")

func TestTroubleIsSaidWhenItLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c condition
		require.NoError(t, c.lasts())
		c.trouble(errAway)
		time.Sleep(lasting - time.Second)
		require.NoError(t, c.lasts())
		c.trouble(errors.New("still away"))
		time.Sleep(time.Second)
		require.EqualError(t, c.lasts(), "for 30s: still away")
		c.over()
		require.NoError(t, c.lasts())
		c.trouble(errAway)
		require.NoError(t, c.lasts(), "a new trouble begins anew")
	})
}

func TestTroubleOfSeveralOrdersIsOverWithTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c condition
		c.enter(errAway)
		time.Sleep(lasting / 2)
		c.enter(errAway)
		c.leave()
		time.Sleep(lasting / 2)
		require.Error(t, c.lasts(), "the time of the one that is left must not begin when another got out")
		c.leave()
		require.NoError(t, c.lasts())
		c.enter(errAway)
		require.NoError(t, c.lasts())
	})
}

// One order may get out of a trouble at the very moment at which another gets into it, which then must still be there.
func TestTroubleIsThereForWhoeverIsInIt(t *testing.T) {
	t.Parallel()
	var c condition
	var orders sync.WaitGroup
	var missing atomic.Int64
	for range 4 {
		orders.Go(func() {
			for range 50_000 {
				c.enter(errAway)
				if c.current() == nil {
					missing.Add(1)
				}
				c.leave()
			}
		})
	}
	orders.Wait()
	require.Zero(t, missing.Load())
}
