package consumer

import "github.com/twmb/franz-go/pkg/kgo"

// The headers with which whoever sends a dead letter again, as `cjrelay dlq redrive` does, tells where the order has
// been. They stay on it when it becomes a dead letter once more: without them an order could go round for ever, and
// nobody would see.
const (
	// HeaderRedrives is how often the order was sent again from the dead letters, a number from 1 on.
	HeaderRedrives = ours + "redrives"
	// HeaderRedrivenFrom is the dead letter that it came from last, as topic/partition/offset.
	HeaderRedrivenFrom = ours + "redriven-from"
	// HeaderOrigin is where the order stood when it was read for the first time, as topic/partition/offset.
	HeaderOrigin = ours + "origin"
	// HeaderMended is the SHA-256, in hex, of the value before a person has mended it.
	HeaderMended = ours + "mended"
)

// isProvenance tells the headers above from those that a dead letter has about its own reason.
func isProvenance(name string) bool {
	switch name {
	case HeaderRedrives, HeaderRedrivenFrom, HeaderOrigin, HeaderMended:
		return true
	}
	return false
}

// longestPlace is more than topic/partition/offset can take.
const longestPlace = 300

// redrivenFrom is the dead letter that an order came from last, empty for one that came from nowhere else.
func redrivenFrom(record *kgo.Record) string {
	from := ""
	for _, h := range record.Headers {
		if h.Key == HeaderRedrivenFrom && len(h.Value) <= longestPlace {
			from = string(h.Value)
		}
	}
	return from
}
