package topics

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	day = 24 * time.Hour
	// unlimited is Kafka's "for ever" in a retention.
	unlimited = -1
	// century and more mean "for ever", too: some write it as the largest number there is, which as a
	// time.Duration would overflow.
	century = 100 * 365 * day
	// deadLetterHeadroom is what our headers may add to an order.
	deadLetterHeadroom = 64 << 10
)

// Names are the topics of one set-up and what their settings follow from.
type Names struct {
	Orders, Clicks, DeadLetter, Outcomes string
	// Window is the attribution window.
	Window time.Duration
	// Copartitioned asks for as many click partitions as order partitions.
	Copartitioned bool
}

// Topic is one topic as it should be.
type Topic struct {
	// Role is what the topic is for: orders, clicks, dead_letter or outcomes.
	Role, Name string
	Settings   []Setting
}

// Setting is one topic configuration. More than asked for is fine.
type Setting struct {
	Key, Value string
	// Why says what goes wrong without it.
	Why string
	ok  func(actual string) bool
}

// partitions stands among a topic's settings for how many it has, though it is none of Kafka's.
const partitions = "partitions"

// Plan is how the topics should be, given the orders as they are: their retention, where less than zero means
// for ever, their largest record in bytes, and their partitions, 0 while nobody knows. The orders come first.
func Plan(names Names, orderRetention time.Duration, orderBytes int64, orderPartitions int) []Topic {
	clicks := Topic{Role: "clicks", Name: names.Clicks}
	if names.Copartitioned && orderPartitions > 0 {
		count := strconv.Itoa(orderPartitions)
		clicks.require(partitions, count, is(count), "clicks.join is copartitioned: orders look for their click in the partition of their own number; "+
			"give both topics as many (kafka-topics.sh --alter --partitions) and write the clicks anew, or set clicks.join to global")
	}
	clicks.require("cleanup.policy", "compact,delete", func(actual string) bool {
		return hasPolicy(actual, "compact") && hasPolicy(actual, "delete")
	}, "without compact a restart reads every click ever made; without delete they are kept for ever")
	lag := names.Window + 7*day
	retention := time.Duration(unlimited)
	if orderRetention >= 0 {
		lag = orderRetention + 7*day
		retention = names.Window + orderRetention + 30*day
	}
	clicks.atLeast("retention.ms", millis(retention), "a click must outlive the window of every order that may still be read")
	clicks.atLeast("min.compaction.lag.ms", millis(lag), "compaction keeps the last click, not the one that counts for an order that is read late")
	clicks.atLeast("delete.retention.ms", millis(30*day), "a table that was away longer than an erasure lives would bring the click back")

	deadLetter := Topic{Role: "dead_letter", Name: names.DeadLetter}
	// Kafka's own setting is a 32-bit number.
	deadLetter.atLeast("max.message.bytes", min(orderBytes+deadLetterHeadroom, math.MaxInt32), "a dead letter is the whole order and our headers")
	deadLetter.require("retention.ms", strconv.FormatInt(millis(30*day), 10), func(actual string) bool {
		ms, err := strconv.ParseInt(actual, 10, 64)
		return err == nil && ms > 0 && ms < millis(century)
	}, "dead letters hold orders: they must not be kept for ever")
	deadLetter.require("cleanup.policy", "delete", is("delete"), "compaction would drop dead letters with the same key")

	outcomes := Topic{Role: "outcomes", Name: names.Outcomes}
	outcomes.require("cleanup.policy", "delete", is("delete"), "compaction would drop all but the last outcome of an order")
	outcomes.atLeast("retention.ms", millis(90*day), "reconciling and replaying look back that far")

	return []Topic{{Role: "orders", Name: names.Orders}, clicks, deadLetter, outcomes}
}

func (t *Topic) require(key, value string, ok func(string) bool, why string) {
	t.Settings = append(t.Settings, Setting{Key: key, Value: value, Why: why, ok: ok})
}

// atLeast accepts the value, more, or unlimited.
func (t *Topic) atLeast(key string, least int64, why string) {
	enough := least
	if least == unlimited {
		enough = millis(century)
	}
	t.require(key, strconv.FormatInt(least, 10), func(actual string) bool {
		value, err := strconv.ParseInt(actual, 10, 64)
		return err == nil && (value == unlimited || value >= enough)
	}, why)
}

func is(value string) func(string) bool {
	return func(actual string) bool { return actual == value }
}

// hasPolicy tells whether a cleanup.policy, which is a list, has one in it.
func hasPolicy(list, policy string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(one string) bool { return strings.TrimSpace(one) == policy })
}

func millis(d time.Duration) int64 {
	if d < 0 {
		return unlimited
	}
	return d.Milliseconds()
}

// lasting is a retention in milliseconds as a time, less than zero for ever.
func lasting(ms int64) time.Duration {
	if ms >= millis(century) {
		return unlimited
	}
	return time.Duration(ms) * time.Millisecond
}
