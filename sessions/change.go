package sessions

import (
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Kind is what one record of the click topic does to its session.
type Kind uint8

// The kinds of change.
const (
	// Put adds a click. The same click again changes nothing.
	Put Kind = iota
	// Erase is a tombstone: it forgets the clicks before it and remembers only that there was one.
	Erase
	// Spoil remembers that a click could not be read.
	Spoil
)

// Change is one record of the click topic as a store takes it.
type Change struct {
	Kind Kind
	// Click is set for Put.
	Click schema.Click
	// At is the record's time, for Erase.
	At time.Time
}
