package sessions

import (
	"errors"
	"time"
)

// Store keeps the clicks of each session, and with them how far each partition of the click topic was read to
// get them. It is a copy of the topic that may be thrown away at any time. Begin comes first and Close last;
// everything between is safe for concurrent use, but a partition belongs to one Batch at a time.
type Store interface {
	// Begin readies the store for a topic. What it holds of another topic or layout, or cannot be sure of, is
	// set aside: then every checkpoint is zero. After an error it may be tried again, and is not called any more when it
	// has succeeded.
	Begin(origin Origin) error
	// Checkpoint is how far a partition was read into what the store holds; zero when it holds nothing of it.
	Checkpoint(partition int32) Checkpoint
	// Drop forgets what came from a partition, and its checkpoint. Copartitioned keeps the others; Global
	// keeps a session's clicks of all partitions together and forgets everything.
	Drop(partition int32) error
	// NewBatch makes a writer for one goroutine.
	NewBatch() Batch
	// History is what is known of the session. The partition counts only in a Copartitioned store, which looks
	// nowhere else. The caller must not change what it gets. An error means that nobody can say; errors.Is
	// ErrDamaged that nobody will before the store is made anew.
	History(partition int32, session string) (History, error)
	// Sessions is about how many sessions are known, and Size how many bytes they take on disk. Both are 0
	// before Begin.
	Sessions() int64
	Size() int64
	// Healthy is nil, or why the store cannot keep what it is given just now. It may be asked before Begin.
	Healthy() error
	// Close keeps everything that was committed for the next Begin.
	Close() error
}

// Batch collects changes until they are committed. It is used by one goroutine.
type Batch interface {
	// Add takes in one record of a partition, in offset order within it. The session is copied.
	Add(partition int32, session []byte, change Change)
	// Bytes is about how much memory the batch holds.
	Bytes() int
	// Commit makes the changes visible to History and keeps them together with the checkpoints, all or
	// nothing, and empties the batch. After an error nothing has changed, the batch still holds everything, and
	// Commit may be called again; errors.Is ErrDamaged means that it is of no use.
	Commit(checkpoints map[int32]Checkpoint) error
}

// ErrDamaged is in the error of a store that cannot trust its own files any more. It has noted that for the
// next Begin, which sets them aside.
var ErrDamaged = errors.New("the click table's files are damaged; a restart makes them anew from the topic")

// Origin says what a store is filled from.
type Origin struct {
	// TopicID is Kafka's id of the click topic: one that is deleted and made anew has another.
	TopicID [16]byte
	// Layout is how sessions are kept.
	Layout Layout
}

// Layout is how a store keeps the sessions of several partitions.
type Layout string

// The layouts.
const (
	// Global keeps a session's clicks of all partitions together.
	Global Layout = "global"
	// Copartitioned keeps each partition apart, so that it can be looked into and dropped alone.
	Copartitioned Layout = "copartitioned"
)

// Checkpoint is how far a partition was read.
type Checkpoint struct {
	// Next is the offset of the next record to read.
	Next int64
	// Current is a time at which everything that the partition held was below Next, or at which reading began.
	// A tombstone that was written since then must be read before the topic forgets it.
	Current time.Time
	// Agreeing is how many keys in a row, up to the last one read, lie where the partitioner puts them. It
	// stops at AgreeingEnough.
	Agreeing uint8
}

// AgreeingEnough is how many click keys must agree with the partitioner before an order may be called stray.
const AgreeingEnough = 100
