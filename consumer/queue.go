package consumer

import "sync"

// queue holds the orders that are ready to be sent, oldest first. It takes any number, since those whose
// partition was taken away stay in it until a sender finds them: a full queue would hold back the orders of
// partitions that are ours. It is safe for concurrent use.
type queue struct {
	mu     sync.Mutex
	more   *sync.Cond
	orders []*passage
	// taken counts those that were taken and are not done.
	taken  int
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.more = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(p *passage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.orders = append(q.orders, p)
	q.more.Signal()
}

// take waits for the next order; nil when the queue is closed. For each order done must be called.
func (q *queue) take() *passage {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.orders) == 0 && !q.closed {
		q.more.Wait()
	}
	if q.closed {
		return nil
	}
	p := q.orders[0]
	q.orders[0] = nil
	q.orders = q.orders[1:]
	q.taken++
	return p
}

// done notes that the attempt for an order that was taken has ended, or that there was none.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken--
}

// ready is how many orders can be sent now, or are being sent.
func (q *queue) ready() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.orders) + q.taken
}

// close ends every take.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.more.Broadcast()
}
