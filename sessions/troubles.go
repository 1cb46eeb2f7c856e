package sessions

import "sync"

// source is a part of the table that can be in trouble on its own.
type source int

const (
	// fitting comes first: a topic that is not the table's cannot be read either, and that would say less.
	fitting source = iota
	fetching
	listingEnds
	decoding
	storing
	sources
)

// troubles holds what is wrong now, by part: one part's recovery must not hide another's trouble.
type troubles struct {
	mu  sync.Mutex
	now [sources]error
}

// set notes a part's trouble, nil when it is over, and tells whether it was in the other state before.
func (t *troubles) set(part source, err error) (turned bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	turned = (t.now[part] == nil) != (err == nil)
	t.now[part] = err
	return turned
}

// first is the first trouble, or nil.
func (t *troubles) first() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, err := range t.now {
		if err != nil {
			return err
		}
	}
	return nil
}
