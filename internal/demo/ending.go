package demo

import (
	"fmt"

	"github.com/cjrelay/cjrelay/schema"
)

// place is where an order's record is in the order topic. It tells orders apart whose own id nobody can read.
type place struct {
	partition int32
	offset    int64
}

// ending is how an order ended according to the outcomes topic.
type ending struct {
	kind    schema.Kind
	reason  schema.Reason
	clickID string
}

func (e ending) String() string { return fmt.Sprintf("%s (%s)", e.kind, e.reason) }

// deadLetter is one record of the dead-letter topic. The letter says itself where the order was.
type deadLetter struct {
	reason     string
	key, value []byte
}
