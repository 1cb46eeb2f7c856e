package cjtest

import (
	"slices"
	"time"
)

type config struct {
	listen     string
	silent     bool
	countsOnly bool
	book       rulebook
	clock      func() time.Time
	seed       uint64
	rules      []Rule
	observer   func(Received)
}

// Option changes a Server from its defaults: strict, any enterprise and action tracker, time.Now, no script.
type Option func(*config)

// WithListen sets the address that Start listens on. The default is 127.0.0.1:0, a free port of the loopback.
func WithListen(address string) Option { return func(c *config) { c.listen = address } }

// WithSilent answers 200 to requests that break a rule, as the real CJ does; the verdict is only recorded.
func WithSilent() Option { return func(c *config) { c.silent = true } }

// WithEnterpriseIDs refuses every other CID.
func WithEnterpriseIDs(ids ...string) Option {
	return func(c *config) { c.book.enterprises = slices.Clone(ids) }
}

// WithActions refuses every other TYPE: the action trackers that the account has.
func WithActions(ids ...string) Option {
	return func(c *config) { c.book.actions = slices.Clone(ids) }
}

// WithClock replaces time.Now for arrival times, for "not in the future" and for the time conditions of a
// script. Latencies pass on the real clock, or that of a testing/synctest bubble, which needs no WithClock.
func WithClock(now func() time.Time) Option { return func(c *config) { c.clock = now } }

// WithSeed sets the seed of random latencies. The default is 1; each Script starts it again.
func WithSeed(seed uint64) Option { return func(c *config) { c.seed = seed } }

// WithScript starts with this script, see Server.Script.
func WithScript(rules ...Rule) Option {
	return func(c *config) { c.rules = slices.Clone(rules) }
}

// WithObserver calls observe once for each request, when its status is decided and before the answer goes out,
// or when it ended without an answer. Calls come from many goroutines at once, the answer waits for them, and
// they must not call Close, which waits for the answer.
func WithObserver(observe func(Received)) Option { return func(c *config) { c.observer = observe } }

// WithCountsOnly makes the server as cheap as it can be, for benchmarks: requests are counted, but neither
// judged nor kept nor observed. Every request is answered 200 unless the script says otherwise; Received is
// empty, and of the Summary only Requests and ByStatus count.
func WithCountsOnly() Option { return func(c *config) { c.countsOnly = true } }
