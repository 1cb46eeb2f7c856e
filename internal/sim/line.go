//go:build synctests

package sim

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// line is all that connects one relay with the world. It can break, and it can fall silent, which is worse: nobody is
// told.
type line struct {
	// delay is how long a packet takes on its way out.
	delay time.Duration

	mu    sync.Mutex
	state lineState
	wires map[*wire]struct{}
}

type lineState int

const (
	up lineState = iota
	down
	silent
)

var (
	errRefused = errors.New("the line is cut: connection refused")
	errSilence = errors.New("the line is silent: dialing timed out")
)

// dialTimeout is how long a client waits for an answer to its first packet.
const dialTimeout = 10 * time.Second

func newLine(delay time.Duration) *line { return &line{delay: delay, wires: map[*wire]struct{}{}} }

// through makes connections that break and fall silent with the line.
func (l *line) through(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		switch l.now() {
		case down:
			return nil, errRefused
		case silent:
			select {
			case <-time.After(dialTimeout):
				return nil, errSilence
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		connection, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w := &wire{Conn: connection, line: l}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.state == down {
			_ = connection.Close()
			return nil, errRefused
		}
		l.wires[w] = struct{}{}
		return w, nil
	}
}

func (l *line) now() lineState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// become changes the line. What was connected before is broken by a cut; after a silence bytes are missing, so that
// breaks it too.
func (l *line) become(state lineState) {
	l.mu.Lock()
	l.state = state
	var broken []*wire
	if state != silent {
		for w := range l.wires {
			broken = append(broken, w)
		}
	}
	l.mu.Unlock()
	for _, w := range broken {
		_ = w.Close()
	}
}

// wire is one connection of a line.
type wire struct {
	net.Conn
	line *line
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	for {
		n, err := w.Conn.Read(p)
		if err != nil || w.line.now() != silent {
			return n, err
		}
	}
}

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	time.Sleep(w.line.delay)
	if w.line.now() == silent {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.line.mu.Lock()
	delete(w.line.wires, w)
	w.line.mu.Unlock()
	return w.Conn.Close()
}
