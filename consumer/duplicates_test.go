package consumer

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// post is a place where orders come in, and what they were told.
type post struct {
	*duplicates
	offset int64
	told   map[*candidate]answer
}

func newPost(limit int) *post {
	return &post{duplicates: newDuplicates(limit), told: map[*candidate]answer{}}
}

// comes makes a candidate at an offset of its own.
func (p *post) comes(order, query string) *candidate {
	p.offset++
	return p.comesAt(order, query, location{offset: p.offset})
}

func (p *post) comesAt(order, query string, at location) *candidate {
	var c *candidate
	c = newCandidate(order, query, at, func(heard answer) { p.told[c] = heard })
	return c
}

// heard takes what candidates were told since the last call.
func (p *post) heard() map[*candidate]answer {
	heard := p.told
	p.told = map[*candidate]answer{}
	return heard
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, p *post){
		"OrdersThatDifferGo": func(t *testing.T, p *post) {
			require.Equal(t, goes, p.enter(p.comes("a", "q")))
			require.Equal(t, goes, p.enter(p.comes("b", "q")))
		},
		"OneThatIsAcknowledgedHasDuplicates": func(t *testing.T, p *post) {
			first := p.comes("a", "q")
			p.enter(first)
			p.acknowledge(first)
			p.leave(first)
			require.Equal(t, isDuplicate, p.enter(p.comes("a", "q")))
			require.Equal(t, isChanged, p.enter(p.comes("a", "another amount")))
			require.Equal(t, goes, p.enter(p.comes("b", "q")))
		},
		"OneThatIsOnItsWayIsWaitedFor": func(t *testing.T, p *post) {
			first, second, third := p.comes("a", "q"), p.comes("a", "q"), p.comes("a", "another amount")
			p.enter(first)
			require.Equal(t, waits, p.enter(second))
			require.Equal(t, waits, p.enter(third))
			require.Empty(t, p.heard())
			p.acknowledge(first)
			require.Equal(t, map[*candidate]answer{second: isDuplicate, third: isChanged}, p.heard())
			for _, one := range []*candidate{first, second, third} {
				p.leave(one)
			}
			require.Empty(t, p.heard())
		},
		"WhereTheFirstIsNotAcknowledgedTheNextGoes": func(t *testing.T, p *post) {
			first, second, third := p.comes("a", "q"), p.comes("a", "q"), p.comes("a", "q")
			p.enter(first)
			p.enter(second)
			p.enter(third)
			p.leave(first)
			require.Equal(t, map[*candidate]answer{second: goes}, p.heard())
			p.acknowledge(second)
			require.Equal(t, map[*candidate]answer{third: isDuplicate}, p.heard())
		},
		"AnOrderThatWasNotAcknowledgedHasNoDuplicates": func(t *testing.T, p *post) {
			first := p.comes("a", "q")
			p.enter(first)
			p.leave(first)
			require.Equal(t, goes, p.enter(p.comes("a", "q")))
		},
		"OneThatLeavesIsNotToldAnything": func(t *testing.T, p *post) {
			first, second, third := p.comes("a", "q"), p.comes("a", "q"), p.comes("a", "q")
			p.enter(first)
			p.enter(second)
			p.enter(third)
			p.leave(second)
			p.leave(second)
			p.leave(first)
			require.Equal(t, map[*candidate]answer{third: goes}, p.heard())
		},
		"OneThatLeftBeforeItCameStaysOut": func(t *testing.T, p *post) {
			gone := p.comes("a", "q")
			p.leave(gone)
			require.Equal(t, waits, p.enter(gone))
			require.Equal(t, goes, p.enter(p.comes("a", "q")), "nobody is on the way")
		},
		"ARecordIsNoDuplicateOfItself": func(t *testing.T, p *post) {
			at := location{offset: 7, partition: 3}
			before := p.comesAt("a", "q", at)
			p.enter(before)
			// Its partition was lost and came back while the answer was on its way.
			now := p.comesAt("a", "q", at)
			other := p.comes("a", "q")
			require.Equal(t, waits, p.enter(now))
			require.Equal(t, waits, p.enter(other))
			p.acknowledge(before)
			require.Equal(t, map[*candidate]answer{now: goes, other: isDuplicate}, p.heard())
			p.leave(now)
			require.Equal(t, goes, p.enter(p.comesAt("a", "q", at)))
			require.Equal(t, isDuplicate, p.enter(p.comes("a", "q")), "an acknowledgement counts while the order is sent again")
		},
		"TheSameOffsetOfAnotherPartitionIsAnotherRecord": func(t *testing.T, p *post) {
			first := p.comesAt("a", "q", location{offset: 7, partition: 3})
			p.enter(first)
			p.acknowledge(first)
			require.Equal(t, isDuplicate, p.enter(p.comesAt("a", "q", location{offset: 7, partition: 4})))
			require.Equal(t, isDuplicate, p.enter(p.comesAt("a", "q", location{offset: 8, partition: 3})))
		},
		"TheOldestAcknowledgementIsForgotten": func(t *testing.T, p *post) {
			for i := range 4 {
				one := p.comes(fmt.Sprint(i), "q")
				p.enter(one)
				p.acknowledge(one)
			}
			require.Equal(t, goes, p.enter(p.comes("0", "q")))
			for i := 1; i < 4; i++ {
				require.Equal(t, isDuplicate, p.enter(p.comes(fmt.Sprint(i), "q")))
			}
		},
		"AnOrderThatIsAcknowledgedAgainIsRememberedFromThen": func(t *testing.T, p *post) {
			at := location{offset: 7}
			for _, one := range []*candidate{p.comesAt("a", "q", at), p.comes("b", "q"), p.comesAt("a", "q", at), p.comes("c", "q"), p.comes("d", "q")} {
				require.Equal(t, goes, p.enter(one))
				p.acknowledge(one)
			}
			require.Equal(t, isDuplicate, p.enter(p.comes("a", "q")))
			require.Equal(t, goes, p.enter(p.comes("b", "q")))
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newPost(3))
		})
	}
}

// Many send the same few orders at once; each order reaches CJ once at a time, and nobody is left waiting.
func TestDuplicatesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const orders, records = 20, 5000
		d := newDuplicates(5)
		var sending [orders]atomic.Int32
		var ended, senders sync.WaitGroup
		for i := range records {
			order := i % orders
			ended.Add(1)
			var c *candidate
			decide := func(now answer) {
				switch now {
				case waits:
					return
				case goes:
					if sending[order].Add(1) > 1 {
						t.Error("an order is sent twice at once")
					}
					runtime.Gosched()
					sending[order].Add(-1)
					if i%3 == 0 {
						d.acknowledge(c)
					}
				}
				d.leave(c)
				ended.Done()
			}
			c = newCandidate(fmt.Sprint(order), "q", location{offset: int64(i)}, func(now answer) { senders.Go(func() { decide(now) }) })
			senders.Go(func() { decide(d.enter(c)) })
		}
		ended.Wait()
		senders.Wait()
		require.Empty(t, d.underWay)
	})
}

// Not parallel: it measures the heap.
func TestMemoryOfAcknowledgementsIsBounded(t *testing.T) {
	const limit = 100_000
	before := heap()
	d := newDuplicates(limit)
	for i := range limit + limit/2 {
		c := newCandidate(fmt.Sprint("1234567|sale|ORD-2026-", i), "q", location{offset: int64(i)}, nil)
		d.enter(c)
		d.acknowledge(c)
		d.leave(c)
	}
	each := (heap() - before) / limit
	t.Logf("%d bytes an order", each)
	require.Len(t, d.known, limit)
	require.Empty(t, d.underWay)
	require.Less(t, each, 160)
	runtime.KeepAlive(d)
}

// heap is how many bytes are in use.
func heap() int {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

func BenchmarkDuplicates(b *testing.B) {
	d := newDuplicates(100_000)
	told := func(answer) {}
	keys := make([]string, 1<<18)
	for i := range keys {
		keys[i] = fmt.Sprint("1234567|sale|ORD-2026-", i)
	}
	const query = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c := newCandidate(keys[i%len(keys)], query, location{offset: int64(i)}, told)
		d.enter(c)
		d.acknowledge(c)
		d.leave(c)
	}
}
