package consumer

import (
	"context"
	"fmt"
	"sync"

	"github.com/cjrelay/cjrelay/postback"
)

var (
	acknowledged = postback.Answer{Class: postback.Acknowledged, Status: 200}
	rejected     = postback.Answer{Class: postback.Rejected, Status: 400, Err: fmt.Errorf("CJ answered 400 Bad Request")}
	unavailable  = postback.Answer{Class: postback.Retry, Status: 503, Err: fmt.Errorf("CJ answered 503 Service Unavailable")}
	wrongSetup   = postback.Answer{Class: postback.Setup, Status: 404, Err: fmt.Errorf("CJ answered 404 Not Found")}
)

// cj is CJ as a consumer sees it: a Sender whose answer can be changed while it runs.
type cj struct {
	mu       sync.Mutex
	answer   func(ctx context.Context, orderID string) postback.Answer
	attempts map[string]int
	queries  map[string]string
	order    []string
}

var _ Sender = (*cj)(nil)

func newCJ() *cj {
	return &cj{attempts: map[string]int{}, queries: map[string]string{},
		answer: func(context.Context, string) postback.Answer { return acknowledged }}
}

func (c *cj) answers(answer func(ctx context.Context, orderID string) postback.Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *cj) always(answer postback.Answer) {
	c.answers(func(context.Context, string) postback.Answer { return answer })
}

func (c *cj) Send(ctx context.Context, query postback.Query) postback.Answer {
	id := orderID(query)
	c.mu.Lock()
	c.attempts[id]++
	c.order = append(c.order, id)
	if before, known := c.queries[id]; known && before != query.Raw() {
		c.queries[id] = "the query changed"
	} else {
		c.queries[id] = query.Raw()
	}
	answer := c.answer
	c.mu.Unlock()
	return answer(ctx, id)
}

func (c *cj) attemptsOf(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.attempts[id]
}

func (c *cj) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.order)
}

func orderID(query postback.Query) string {
	for _, param := range query.Params() {
		if param.Name == "OID" {
			return param.Value
		}
	}
	return ""
}

// hold makes CJ acknowledge only when told to, and tells which orders are being sent.
func (c *cj) hold() (sending chan string, answer chan struct{}) {
	sending, answer = make(chan string, 1000), make(chan struct{})
	c.answers(func(ctx context.Context, id string) postback.Answer {
		sending <- id
		return after(ctx, answer)
	})
	return sending, answer
}

// after is CJ's acknowledgement once goOn is closed.
func after(ctx context.Context, goOn <-chan struct{}) postback.Answer {
	select {
	case <-goOn:
		return acknowledged
	case <-ctx.Done():
		return postback.Answer{Class: postback.Cancelled, Err: ctx.Err()}
	}
}
