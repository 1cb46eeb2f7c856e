package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// kind is what a request is to the edge.
type kind string

const (
	// page has a session and no click: most requests of most shops.
	page kind = "page"
	// returning has CJ's cookie and its companion, bound to the session that is shown: nothing is left to do.
	returning kind = "returning"
	// landing brings a click id of its own, and a session that the edge does not know.
	landing kind = "landing"
)

var kinds = []kind{page, returning, landing}

// shoppers counts sessions and clicks, so that no two are the same.
var shoppers atomic.Int64

// load sends requests of a kind through a contender at the rate, and returns how long each took from its sending to the
// last byte of its answer.
func (w *world) load(o options, k kind, contender string) ([]time.Duration, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: o.shoppers, DisableCompression: true}
	defer transport.CloseIdleConnections()
	cookies, err := w.returningCookies(transport, contender)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var all []time.Duration
	var group errgroup.Group
	began := time.Now()
	interval := time.Duration(float64(time.Second) / o.rate)
	for shopper := range o.shoppers {
		group.Go(func() error {
			var took []time.Duration
			for i := shopper; i < o.requests; i += o.shoppers {
				time.Sleep(time.Until(began.Add(time.Duration(i) * interval)))
				request, err := w.request(k, contender, cookies)
				if err != nil {
					return err
				}
				sent := time.Now()
				if _, err := answer(transport, request); err != nil {
					return err
				}
				took = append(took, time.Since(sent))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			return nil
		})
	}
	return all, group.Wait()
}

func (w *world) request(k kind, contender, cookies string) (*http.Request, error) {
	path := "/shoes?color=black&size=42"
	session := shoppers.Add(1)
	switch k {
	case page:
		cookies = fmt.Sprintf("sid=session-%d", session)
	case landing:
		cookies = fmt.Sprintf("sid=session-%d", session)
		path += fmt.Sprintf("&utm_source=partner&cjevent=%032x", session)
	}
	request, err := http.NewRequest(http.MethodGet, w.address(contender)+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Cookie", cookies)
	request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36")
	request.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	return request, nil
}

// returningCookies are those of a shopper whose click is bound already. The bare proxy's shoppers carry an edge's, so
// that its requests are as long.
func (w *world) returningCookies(transport *http.Transport, contender string) (string, error) {
	if contender == roleBare {
		contender = roleUp
	}
	request, err := w.request(landing, contender, "")
	if err != nil {
		return "", err
	}
	response, err := answer(transport, request)
	if err != nil {
		return "", err
	}
	cookies := []string{request.Header.Get("Cookie")}
	for _, cookie := range response.Cookies() {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	if len(cookies) != 3 {
		return "", fmt.Errorf("the edge sets %d cookies, not CJ's and its companion", len(cookies)-1)
	}
	return strings.Join(cookies, "; "), nil
}

// answer reads the whole answer, which must be the shop's page.
func answer(transport *http.Transport, request *http.Request) (*http.Response, error) {
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	size, err := io.Copy(io.Discard, response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || size != pageBytes) {
		err = fmt.Errorf("status %d with %d bytes", response.StatusCode, size)
	}
	return response, err
}
