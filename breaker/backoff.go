package breaker

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Backoff gives the waits between the attempts of one order: exponential, with full jitter, so that orders
// that failed together do not come back together. It is for one goroutine.
type Backoff struct{ waits *backoff.ExponentialBackOff }

// NewBackoff starts a series whose n-th wait is uniform between 0 and initial*2^(n-1), never above highest.
// Both must be positive.
func NewBackoff(initial, highest time.Duration) *Backoff {
	// The library spreads a wait evenly around its interval; a spread of 1 around half the bound is full
	// jitter up to the bound. It caps every interval but the first one.
	waits := &backoff.ExponentialBackOff{
		InitialInterval: min(initial, highest) / 2, RandomizationFactor: 1, Multiplier: 2, MaxInterval: highest / 2,
	}
	waits.Reset()
	return &Backoff{waits: waits}
}

// Next is the next wait.
func (b *Backoff) Next() time.Duration { return b.waits.NextBackOff() }
