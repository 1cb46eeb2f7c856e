package sessions

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// FetchOptions are how a Table's client fetches. They are there for a measurement that reads the topic in the
// same way without a table.
func FetchOptions() []kgo.Opt {
	return []kgo.Opt{
		// Committed clicks only, and the transaction markers too: an end of the topic that is a marker
		// would otherwise never be reached, and the gate would stay shut for ever.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		// The default of 5 s is how long a newly added partition waits behind a long poll.
		kgo.FetchMaxWait(250 * time.Millisecond),
		// A fetch takes five times its size once it is decoded, each broker has one under way, one that waits and
		// one in the readers' hands, and twice all that is there until it is collected. Larger ones are no faster.
		kgo.FetchMaxBytes(4 << 20),
		kgo.FetchMaxPartitionBytes(1 << 20),
		// What retention removed is gone for every reader: going on at the log start loses nothing more.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
}
