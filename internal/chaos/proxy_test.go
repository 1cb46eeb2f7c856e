//go:build kafka

package chaos

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// proxy stands between a process and Kafka, and can hold one message back: the process dies while Kafka has not
// heard it, or while nobody has told the process that Kafka has. Since brokers tell their clients where they are, the
// proxy rewrites those answers; it listens once for every broker.
type proxy struct {
	t testing.TB

	mu        sync.Mutex
	listeners map[string]net.Listener // by the broker's address
	conns     []net.Conn
	holds     []*stop
	closed    bool
	closing   chan struct{}
	working   sync.WaitGroup
}

// stop is one message that is held back.
type stop struct {
	key     int16
	needles [][]byte
	answer  bool
	// reached is closed when it is there, released when it may go on.
	reached, released chan struct{}
}

// newProxy stands before a cluster until the test ends.
func newProxy(t testing.TB) *proxy {
	p := &proxy{t: t, listeners: map[string]net.Listener{}, closing: make(chan struct{})}
	t.Cleanup(p.close)
	return p
}

// via is where a process reaches a broker through the proxy.
func (p *proxy) via(broker string) (address string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return "", net.ErrClosed
	}
	if listener := p.listeners[broker]; listener != nil {
		return listener.Addr().String(), nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.listeners[broker] = listener
	p.working.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			p.serve(near, broker)
		}
	})
	return listener.Addr().String(), nil
}

func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	close(p.closing)
	for _, listener := range p.listeners {
		_ = listener.Close()
	}
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.working.Wait()
}

// hold keeps the next request of a kind that has one of the texts in it from Kafka; or, where answer is set, lets
// Kafka have it and keeps the answer from the process.
func (p *proxy) hold(key kmsg.Key, answer bool, needles ...[]byte) *stop {
	s := &stop{key: int16(key), needles: needles, answer: answer, reached: make(chan struct{}), released: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, s)
	return s
}

// release lets it go on.
func (s *stop) release() { close(s.released) }

// await waits until the message is there.
func (s *stop) await(b *bench) {
	b.t.Helper()
	select {
	case <-s.reached:
	case <-b.ctx.Done():
		require.Fail(b.t, "the message that is to be held back never comes", "request %s", kmsg.NameForKey(s.key))
	}
}

// take finds the stop for a request; each holds one message only.
func (p *proxy) take(key int16, frame []byte) *stop {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.holds {
		if s.key == key && slices.ContainsFunc(s.needles, func(needle []byte) bool { return bytes.Contains(frame, needle) }) {
			p.holds = append(p.holds[:i:i], p.holds[i+1:]...)
			return s
		}
	}
	return nil
}

// wait holds a message, and reports whether it may go on.
func (p *proxy) wait(s *stop) bool {
	close(s.reached)
	select {
	case <-s.released:
		return true
	case <-p.closing:
		return false
	}
}

// asked is a request whose answer is not there yet.
type asked struct {
	key, version int16
	stop         *stop
}

// serve carries one connection both ways until either side ends it.
func (p *proxy) serve(near net.Conn, broker string) {
	far, err := net.Dial("tcp", broker)
	if err != nil {
		_ = near.Close()
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		_, _ = near.Close(), far.Close()
		return
	}
	p.conns = append(p.conns, near, far)
	p.mu.Unlock()
	end := func() { _, _ = near.Close(), far.Close() }
	var pending sync.Map // by correlation id
	p.working.Go(func() {
		defer end()
		for {
			frame, err := readFrame(near)
			if err != nil {
				return
			}
			header := frame[4:]
			key, version, id := int16(binary.BigEndian.Uint16(header)), int16(binary.BigEndian.Uint16(header[2:])), binary.BigEndian.Uint32(header[4:])
			a := asked{key: key, version: version, stop: p.take(key, frame)}
			if a.stop != nil && !a.stop.answer {
				if !p.wait(a.stop) {
					return
				}
				a.stop = nil
			}
			pending.Store(id, a)
			if _, err := far.Write(frame); err != nil {
				return
			}
		}
	})
	p.working.Go(func() {
		defer end()
		for {
			frame, err := readFrame(far)
			if err != nil {
				return
			}
			known, ok := pending.LoadAndDelete(binary.BigEndian.Uint32(frame[4:]))
			if !ok {
				p.t.Errorf("an answer to nothing from %s", broker)
				return
			}
			a := known.(asked)
			if a.stop != nil && !p.wait(a.stop) {
				return
			}
			if frame, err = p.rewritten(a, frame); err != nil {
				p.t.Errorf("rewriting an answer of %s: %v", broker, err)
				return
			}
			if _, err := near.Write(frame); err != nil {
				return
			}
		}
	})
}

// readFrame reads one message with its length before it.
func readFrame(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(length[:]))
	copy(frame, length[:])
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// rewritten puts the proxy's own addresses into an answer that tells where brokers are.
func (p *proxy) rewritten(a asked, frame []byte) ([]byte, error) {
	response := kmsg.ResponseForKey(a.key)
	var move func() error
	switch r := response.(type) {
	case *kmsg.MetadataResponse:
		move = func() error {
			for i := range r.Brokers {
				if err := p.move(&r.Brokers[i].Host, &r.Brokers[i].Port); err != nil {
					return err
				}
			}
			return nil
		}
	case *kmsg.FindCoordinatorResponse:
		move = func() error {
			for i := range r.Coordinators {
				if err := p.move(&r.Coordinators[i].Host, &r.Coordinators[i].Port); err != nil {
					return err
				}
			}
			return p.move(&r.Host, &r.Port)
		}
	default:
		return frame, nil
	}
	response.SetVersion(a.version)
	// Behind length and correlation id, answers in the flexible form have tags, of which brokers send none.
	start := 8
	if response.IsFlexible() {
		if start++; frame[8] != 0 {
			return nil, fmt.Errorf("%s has tags in its header", kmsg.NameForKey(a.key))
		}
	}
	if err := response.ReadFrom(frame[start:]); err != nil {
		return nil, err
	}
	if err := move(); err != nil {
		return nil, err
	}
	moved := response.AppendTo(frame[:start:start])
	binary.BigEndian.PutUint32(moved, uint32(len(moved)-4))
	return moved, nil
}

// move replaces one address, unless it is none.
func (p *proxy) move(host *string, port *int32) error {
	if *host == "" {
		return nil
	}
	address, err := p.via(net.JoinHostPort(*host, strconv.Itoa(int(*port))))
	if err != nil {
		return err
	}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(text, 10, 32)
	*host, *port = "127.0.0.1", int32(number)
	return err
}
