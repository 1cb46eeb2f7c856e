package breaker

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// pace bounds how many attempts start a second. The zero value bounds nothing. It is not safe for concurrent use.
type pace struct {
	limiter *rate.Limiter
	// waking is set while a timer runs for those who wait.
	waking bool
}

// smoothness is the time whose attempts may start at once. Were it none, each delay of a timer would lower the rate.
const smoothness = 100 * time.Millisecond

func newPace(perSecond float64) pace {
	if perSecond <= 0 {
		return pace{}
	}
	atOnce := max(1, int(math.Ceil(perSecond*smoothness.Seconds())))
	return pace{limiter: rate.NewLimiter(rate.Limit(perSecond), atOnce)}
}

// wait is how long until an attempt may start, 0 when one may now.
func (p *pace) wait() time.Duration {
	if p.limiter == nil {
		return 0
	}
	missing := 1 - p.limiter.Tokens()
	if missing <= 0 {
		return 0
	}
	// What is missing may be a rounding error, for which no clock would ever move on, or be beyond what a duration holds.
	seconds := min(missing/float64(p.limiter.Limit()), time.Hour.Seconds())
	return max(time.Duration(math.Ceil(seconds*float64(time.Second))), time.Microsecond)
}

// take notes that an attempt starts.
func (p *pace) take() {
	if p.limiter != nil {
		p.limiter.Allow()
	}
}

// owe notes a request that nobody waited for.
func (p *pace) owe() {
	if p.limiter != nil {
		p.limiter.Reserve()
	}
}

// wake calls paced when the wait is over, once for all who wait. paced ends waking.
func (p *pace) wake(wait time.Duration, paced func()) {
	if !p.waking {
		p.waking = true
		time.AfterFunc(wait, paced)
	}
}
