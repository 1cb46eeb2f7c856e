package breaker_test

import (
	"context"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/cjrelay/cjrelay/breaker"
)

func BenchmarkAcquireDone(b *testing.B) {
	attempt := func(gate *breaker.Gate, result breaker.Result, order string) {
		permit, err := gate.Acquire(context.Background(), order)
		if err != nil {
			b.Error(err)
			return
		}
		permit.Done(result)
	}
	b.Run("Uncontended", func(b *testing.B) {
		gate := breaker.New(breaker.Config{})
		b.ReportAllocs()
		for b.Loop() {
			attempt(gate, breaker.Succeeded, "order")
		}
	})
	// 64 goroutines with room for all, and with room for a few: there most wait in line.
	for _, concurrency := range []int{64, 8} {
		b.Run("Goroutines64/Concurrency"+strconv.Itoa(concurrency), func(b *testing.B) {
			gate := breaker.New(breaker.Config{Concurrency: concurrency})
			b.SetParallelism(64 / min(64, runtime.GOMAXPROCS(0)))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					attempt(gate, breaker.Succeeded, "order")
				}
			})
		})
	}
	// Each failure is of another order, as in a long partial outage: the cost must not grow with their number.
	b.Run("ManyDifferentOrdersFail", func(b *testing.B) {
		gate := breaker.New(breaker.Config{FailureRate: 1})
		var n atomic.Int64
		b.ReportAllocs()
		for b.Loop() {
			attempt(gate, breaker.Failed, strconv.FormatInt(n.Add(1), 10))
			attempt(gate, breaker.Succeeded, "good")
		}
	})
}
