package capture

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxClients bounds the memory of the limiter. A flood from more addresses than that is the queue's business.
const maxClients = 10_000

// limiter bounds the clicks of one client. It is safe for concurrent use.
type limiter struct {
	rate  rate.Limit
	burst int

	mu sync.Mutex
	// known has an element of latest for each client, the latest one in front.
	known  map[netip.Addr]*list.Element
	latest *list.List
}

type client struct {
	address netip.Addr
	bucket  *rate.Limiter
}

// newLimiter makes a limiter; a negative rate means no limit.
func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, known: map[netip.Addr]*list.Element{}, latest: list.New()}
}

// allow tells whether the client may make one more click now.
func (l *limiter) allow(address netip.Addr, at time.Time) bool {
	if l.rate < 0 {
		return true
	}
	if address.Is6() {
		// One household has 2^64 of them.
		address = netip.PrefixFrom(address, 64).Masked().Addr()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	element, known := l.known[address]
	if !known {
		if len(l.known) == maxClients {
			oldest := l.latest.Back()
			delete(l.known, l.latest.Remove(oldest).(client).address)
		}
		element = l.latest.PushFront(client{address, rate.NewLimiter(l.rate, l.burst)})
		l.known[address] = element
	}
	l.latest.MoveToFront(element)
	return element.Value.(client).bucket.AllowN(at, 1)
}
