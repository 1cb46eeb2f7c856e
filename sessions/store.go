package sessions

import (
	"slices"
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Store keeps the clicks of each session. It is written by one goroutine and read by many.
type Store interface {
	// Put adds a click. The same click again changes nothing.
	Put(session string, click schema.Click)
	// Erase forgets every click of the session and remembers only that it was erased.
	Erase(session string)
	// Spoil remembers that a click of the session could not be read.
	Spoil(session string)
	// History is what is known of the session. The caller must not change it.
	History(session string) History
	// Sessions is how many sessions are known.
	Sessions() int
}

// History is what a store knows of one session.
type History struct {
	// Clicks are ordered by the time of their capture.
	Clicks []schema.Click
	// Erased: a tombstone removed earlier clicks.
	Erased bool
	// Spoiled: at least one click could not be read.
	Spoiled bool
}

// Memory is a Store in memory. It is rebuilt from the topic at every start.
type Memory struct {
	mu       sync.RWMutex
	sessions map[string]History
}

// NewMemory makes an empty Memory.
func NewMemory() *Memory { return &Memory{sessions: map[string]History{}} }

var _ Store = (*Memory)(nil)

// Put implements Store. Clicks may come in any order; two at the same time are kept in order of arrival.
func (m *Memory) Put(session string, click schema.Click) {
	m.mu.Lock()
	defer m.mu.Unlock()
	history := m.sessions[session]
	at, _ := slices.BinarySearchFunc(history.Clicks, click.CapturedAt, func(c schema.Click, t time.Time) int {
		if c.CapturedAt.After(t) {
			return 1
		}
		return -1
	})
	// A click that is read again must not pass one of the same time that came after it.
	for before := at - 1; before >= 0 && history.Clicks[before].CapturedAt.Equal(click.CapturedAt); before-- {
		if history.Clicks[before].ID == click.ID {
			return
		}
	}
	// Readers may hold the old slice: it is copied, never changed.
	clicks := make([]schema.Click, 0, len(history.Clicks)+1)
	clicks = append(append(append(clicks, history.Clicks[:at]...), click), history.Clicks[at:]...)
	history.Clicks = clicks
	m.sessions[session] = history
}

// Erase implements Store.
func (m *Memory) Erase(session string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[session] = History{Erased: true}
}

// Spoil implements Store.
func (m *Memory) Spoil(session string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	history := m.sessions[session]
	history.Spoiled = true
	m.sessions[session] = history
}

// History implements Store.
func (m *Memory) History(session string) History {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.sessions[session]
}

// Sessions implements Store.
func (m *Memory) Sessions() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.sessions)
}
