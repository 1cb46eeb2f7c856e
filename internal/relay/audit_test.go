package relay_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/version"
	"github.com/cjrelay/cjrelay/schema"
)

// place is where an order's record stands.
type place struct {
	partition int32
	offset    int64
}

func placeOf(r *kgo.Record) place { return place{r.Partition, r.Offset} }

// books are what an audit found.
type books struct {
	byID    map[string]schema.OutcomeRecord
	byPlace map[place]schema.OutcomeRecord
	letters map[place]*kgo.Record
}

// audit is the end of nearly every test: it stops the relays and compares every record of the four topics,
// the committed offsets and all that CJ received with each other. Whatever a test does not expect, one
// outcome or request too many, shows here.
func (s *shop) audit(t *testing.T) books {
	t.Helper()
	for _, r := range s.relays {
		if r.over.Err() == nil {
			r.halt(t)
		}
	}
	b := books{byID: map[string]schema.OutcomeRecord{}, byPlace: map[place]schema.OutcomeRecord{}, letters: map[place]*kgo.Record{}}
	orders := s.kafka.Read(t, s.config.Orders.Topic)
	b.readOutcomes(t, s)
	require.Equal(t, len(orders), len(b.byPlace), "every order has one outcome")
	b.readLetters(t, s)
	for _, order := range orders {
		outcome, ended := b.byPlace[placeOf(order)]
		require.True(t, ended, "the order at %v has no outcome", placeOf(order))
		letter, dead := b.letters[placeOf(order)]
		require.Equal(t, outcome.Outcome == schema.DeadLetter, dead, "%s at %v and its dead letter", outcome.Outcome, placeOf(order))
		if dead {
			requireLetter(t, order, outcome, letter)
		}
	}
	require.LessOrEqual(t, len(b.letters), len(orders))
	b.requirePostbacks(t, s)
	s.requireCommitted(t)
	return b
}

func (b books) readOutcomes(t *testing.T, s *shop) {
	t.Helper()
	for _, r := range s.kafka.Read(t, s.config.Outcomes.Topic) {
		outcome, err := schema.DecodeOutcome(r.Value)
		require.NoError(t, err)
		require.Equal(t, outcome.Key(), string(r.Key))
		require.Equal(t, s.config.Orders.Group, outcome.Group)
		require.Equal(t, s.config.Orders.Topic, outcome.Topic)
		require.WithinRange(t, outcome.At, s.now, time.Now())
		at := place{outcome.Partition, outcome.Offset}
		earlier, repeats := b.byPlace[at]
		if repeats && s.crashed {
			require.Equal(t, earlier.Outcome, outcome.Outcome)
			require.Equal(t, earlier.QuerySHA256, outcome.QuerySHA256)
			continue
		}
		require.False(t, repeats, "two outcomes of the order at %v", at)
		b.byPlace[at] = outcome
		if outcome.OrderID != "" {
			_, repeats := b.byID[outcome.OrderID]
			require.False(t, repeats, "two orders with the id %s", outcome.OrderID)
			b.byID[outcome.OrderID] = outcome
		}
	}
}

func (b books) readLetters(t *testing.T, s *shop) {
	t.Helper()
	for _, letter := range s.kafka.Read(t, s.config.DeadLetter.Topic) {
		headers := headersOf(letter.Headers)
		require.Equal(t, s.config.Orders.Topic, headers["cjrelay-topic"])
		partition, err := strconv.Atoi(headers["cjrelay-partition"])
		require.NoError(t, err)
		offset, err := strconv.Atoi(headers["cjrelay-offset"])
		require.NoError(t, err)
		at := place{int32(partition), int64(offset)}
		_, repeats := b.letters[at]
		require.False(t, repeats, "two dead letters of the order at %v", at)
		b.letters[at] = letter
	}
}

// ourHeaders are the headers that a dead letter has behind its own, in this order.
var ourHeaders = []string{"cjrelay-reason", "cjrelay-error", "cjrelay-topic", "cjrelay-partition", "cjrelay-offset",
	"cjrelay-attempts", "cjrelay-status", "cjrelay-at", "cjrelay-version"}

// requireLetter demands the original order, byte for byte, and every header of the contract. What an earlier pass
// through the dead-letter topic has left is not the order's own.
func requireLetter(t *testing.T, order *kgo.Record, outcome schema.OutcomeRecord, letter *kgo.Record) {
	t.Helper()
	own := slices.DeleteFunc(slices.Clone(order.Headers), func(h kgo.RecordHeader) bool { return strings.HasPrefix(h.Key, "cjrelay-") })
	tooLarge := headersOf(letter.Headers)["cjrelay-reason"] == "too_large"
	if bare := tooLarge && letter.Key == nil; bare {
		own = nil
	} else {
		require.Equal(t, order.Key, letter.Key)
	}
	require.Greater(t, len(letter.Headers), len(own))
	for i, header := range own {
		require.Equal(t, header, letter.Headers[i])
	}
	added := letter.Headers[len(own):]
	headers := headersOf(added)
	if tooLarge {
		sum := sha256.Sum256(order.Value)
		require.Nil(t, letter.Value)
		require.Equal(t, hex.EncodeToString(sum[:]), headers["cjrelay-sha256"])
		require.Equal(t, strconv.Itoa(len(order.Value)), headers["cjrelay-bytes"])
		added = added[:len(ourHeaders)]
	} else {
		require.Equal(t, order.Value, letter.Value)
		require.Equal(t, string(outcome.Reason), headers["cjrelay-reason"])
	}
	var names []string
	for _, header := range added {
		names = append(names, header.Key)
	}
	require.Equal(t, ourHeaders, names)
	require.NotEmpty(t, headers["cjrelay-error"])
	require.Equal(t, strconv.Itoa(outcome.Attempts), headers["cjrelay-attempts"])
	require.Equal(t, strconv.Itoa(outcome.Status), headers["cjrelay-status"])
	at, err := time.Parse(time.RFC3339Nano, headers["cjrelay-at"])
	require.NoError(t, err)
	require.WithinDuration(t, outcome.At, at, time.Millisecond)
	require.Equal(t, version.String(), headers["cjrelay-version"])
}

func headersOf(headers []kgo.RecordHeader) map[string]string {
	values := map[string]string{}
	for _, header := range headers {
		values[header.Key] = string(header.Value)
	}
	return values
}

// requirePostbacks compares what CJ received with the outcomes.
func (b books) requirePostbacks(t *testing.T, s *shop) {
	t.Helper()
	acknowledged := map[string]int{}
	for _, request := range s.cj.Received() {
		outcome, known := b.byID[request.OrderID]
		require.True(t, known, "CJ received an order without outcome: %s", request.OrderID)
		require.Empty(t, request.Problems, request.OrderID)
		require.Equal(t, enterpriseID, request.EnterpriseID)
		sum := sha256.Sum256([]byte(request.Query))
		require.Equal(t, outcome.QuerySHA256, hex.EncodeToString(sum[:]), "the query of %s changed on its way", request.OrderID)
		require.Equal(t, outcome.CJEvent, request.ClickID, request.OrderID)
		require.NotZero(t, outcome.Attempts, request.OrderID)
		if request.Status/100 == 2 {
			acknowledged[request.OrderID]++
		}
	}
	for id, outcome := range b.byID {
		if outcome.Outcome != schema.Acknowledged {
			require.Zero(t, acknowledged[id], "%s is %s but CJ acknowledged it", id, outcome.Outcome)
			continue
		}
		require.Equal(t, 2, outcome.Status/100, id)
		require.NotZero(t, acknowledged[id], "%s never reached CJ", id)
		if !s.crashed && !s.late {
			require.Equal(t, 1, acknowledged[id], "CJ acknowledged %s more than once", id)
		}
	}
	if !s.crashed && !s.late {
		require.Zero(t, s.cj.Summary().Duplicates)
	}
}

// requireCommitted demands that the group stands at the end of every partition.
func (s *shop) requireCommitted(t *testing.T) {
	t.Helper()
	ends, err := s.kafka.Admin.ListEndOffsets(t.Context(), s.config.Orders.Topic)
	require.NoError(t, err)
	want := map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) { want[end.Partition] = end.Offset })
	require.Equal(t, want, s.committed(t))
}

// committed is where the group stands, by partition; empty for a group that there is not.
func (s *shop) committed(t *testing.T) map[int32]int64 {
	t.Helper()
	offsets, err := s.kafka.Admin.FetchOffsetsForTopics(t.Context(), s.config.Orders.Group, s.config.Orders.Topic)
	if !errors.Is(err, kerr.GroupIDNotFound) {
		require.NoError(t, err)
	}
	committed := map[int32]int64{}
	for partition, offset := range offsets[s.config.Orders.Topic] {
		committed[partition] = offset.At
	}
	return committed
}

// requireAcknowledged demands that CJ has the order in full, with that click id.
func (b books) requireAcknowledged(t *testing.T, s *shop, id, click string, reason schema.Reason) {
	t.Helper()
	outcome := b.byID[id]
	require.Equal(t, schema.Acknowledged, outcome.Outcome, id)
	require.Equal(t, reason, outcome.Reason, id)
	require.Equal(t, click, outcome.CJEvent, id)
	require.Equal(t, "sale", outcome.Action)
	require.Equal(t, enterpriseID, outcome.EnterpriseID)
	requests := s.cj.ReceivedOf(id)
	require.NotEmpty(t, requests, id)
	last := requests[len(requests)-1]
	require.NotEqual(t, cjtest.Refused, last.Verdict)
	require.Equal(t, saleTracker, last.Action)
}
