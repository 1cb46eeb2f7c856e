package cjtest

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"testing"
)

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// BenchmarkServe is what the fake adds to a request, without the HTTP server, for an order of two lines with
// every discount; and what it keeps of it.
func BenchmarkServe(b *testing.B) {
	for name, opts := range map[string][]Option{"Judged": nil, "CountsOnly": {WithCountsOnly()}} {
		b.Run(name, func(b *testing.B) {
			cj := New(opts...)
			requests := make([]*http.Request, b.N)
			for i := range requests {
				requests[i] = &http.Request{Method: http.MethodGet, URL: &url.URL{Path: Path, RawQuery: orderQuery(fmt.Sprintf("ORD-%d", i))}}
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			b.ReportAllocs()
			b.ResetTimer()
			for _, request := range requests {
				cj.ServeHTTP(nowhere{http.Header{}}, request)
			}
			b.StopTimer()
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(b.N), "kept-B/op")
			runtime.KeepAlive(requests)
			runtime.KeepAlive(cj)
		})
	}
}

func BenchmarkReceived(b *testing.B) {
	cj := New()
	for i := range 1000 {
		cj.ServeHTTP(nowhere{http.Header{}}, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: Path, RawQuery: orderQuery(fmt.Sprintf("ORD-%d", i))}})
	}
	b.ReportAllocs()
	for b.Loop() {
		cj.Received()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/receipt")
}
