package letters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/schema"
)

// Index is the dead-letter topic, of all processes and for as long as it is kept, as a page asks for it again and again.
//
// There are two plain ways to answer such a page. To read the topic for each request takes nothing between them, but
// a million letters are one or two gigabytes, read and parsed in the process that has orders to send, for every person
// that looks. To follow the topic from the start on answers at once, but each process would read all letters at each
// start, nobody looking, and keep them: a gigabyte as Letters. An Index takes the good half of both. It reads only when
// it is asked, one reader at a time, and then what came since it was asked last; of a letter it keeps where it is and
// what one can ask for, 50 to 100 bytes; the few that are listed are read once more. The first question about a million
// letters takes a few seconds, is answered with what is read by then, and goes on with the next; more than the latest
// million are not looked at. A topic as small as it should be costs next to nothing.
//
// It is safe for concurrent use.
type Index struct {
	config IndexConfig

	// turn is taken by whoever reads the topic or what is known of it.
	turn chan struct{}
	// mu is for the partitions of one reading, which come at the same time.
	mu      sync.Mutex
	shelves map[int32]*shelf
	// reasons are those of all letters, and numbers where each is there.
	reasons []string
	numbers map[string]uint16
	// unread is how many offsets are still to be read, passed how many were left out since they are too many.
	unread, passed int64
	// read is when the end was reached last.
	read time.Time
	// seen are letters that were listed lately.
	seen map[Place]Letter
}

// IndexConfig sets an Index. Every field is needed but Decode.
type IndexConfig struct {
	// Client says how to reach Kafka.
	Client []kgo.Opt
	// DeadLetters and Orders are the topics.
	DeadLetters, Orders string
	// Decode tells the orders' ids.
	Decode schema.OrderDecoder
	// Newest is how many offsets of the topic are looked at, the latest ones. Defaults to a million.
	Newest int64
}

const (
	newestDefault = 1_000_000
	// fresh is how long what was read is good enough.
	fresh = 2 * time.Second
	// readTime is how long one question reads before it is answered with what is known.
	readTime = 5 * time.Second
	// seenMost bounds the letters that are kept whole, idMost an order's id and textMost the text of an error, both in
	// bytes: whoever may write to the topic may write what he likes.
	seenMost, idMost, textMost = 1000, 100, 1000
	// reasonsMost bounds the different reasons. There are about ten.
	reasonsMost = 100
)

// shelf is what is known of one partition.
type shelf struct {
	// entries are in the order of their offsets, next is the offset to read next.
	entries []entry
	next    int64
}

// entry is a record of the topic that is no note.
type entry struct {
	offset int64
	// note is the offset of the note that tells where the letter's order went; 0 while it waits: behind a letter there
	// is no offset 0.
	note int64
	// at is when it was written, Unix milliseconds.
	at int64
	// id is the order's id, its beginning where it is long.
	id     string
	reason uint16
	// foreign: not ours. unnamed: its id is not known since the registry was away. stuck: it will not be sent again.
	foreign, unnamed, stuck bool
}

func (e *entry) waits() bool { return !e.foreign && e.note == 0 }

// NewIndex makes an Index that has read nothing yet.
func NewIndex(config IndexConfig) *Index {
	config.Newest = cmp.Or(config.Newest, newestDefault)
	i := &Index{config: config, turn: make(chan struct{}, 1)}
	i.forget()
	return i
}

func (i *Index) forget() {
	i.shelves, i.reasons, i.numbers, i.seen = map[int32]*shelf{}, nil, map[string]uint16{}, map[Place]Letter{}
}

// errBusy: others read for longer than one wants to wait.
var errBusy = errors.New("the dead-letter topic is being read for somebody else: ask again in a moment")

// enter waits for its turn. Whoever has it must leave.
func (i *Index) enter(ctx context.Context) error {
	select {
	case i.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errBusy
	}
}

func (i *Index) leave() { <-i.turn }

// Stale makes the next question read the topic, however lately it was read: something was written.
func (i *Index) Stale(ctx context.Context) {
	if i.enter(ctx) == nil {
		i.read = time.Time{}
		i.leave()
	}
}

// catchUp reads what has come, for readTime at most. It is called with the turn.
func (i *Index) catchUp(ctx context.Context, client *kgo.Client) error {
	if i.unread == 0 && time.Since(i.read) < fresh {
		return nil
	}
	whole, err := extent.Whole(ctx, client, i.config.DeadLetters)
	if err != nil {
		return err
	}
	i.arrange(whole)
	rest := extent.Extent{Topic: i.config.DeadLetters, Partitions: map[int32]extent.Range{}}
	for partition, s := range i.shelves {
		rest.Partitions[partition] = extent.Range{From: s.next, To: whole.Partitions[partition].To}
	}
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	away := false
	err = rest.Read(reading, client, func(batch extent.Batch) error {
		i.mu.Lock()
		defer i.mu.Unlock()
		s := i.shelves[batch.Partition]
		for _, record := range batch.Records {
			// What is half read is read again.
			if reading.Err() != nil {
				return reading.Err()
			}
			i.take(reading, record, &away)
			s.next = record.Offset + 1
		}
		s.next = batch.Next
		return nil
	})
	i.unread = 0
	for partition, s := range i.shelves {
		i.unread += max(0, whole.Partitions[partition].To-s.next)
	}
	switch {
	case i.unread == 0:
		i.read = time.Now()
		return nil
	case reading.Err() != nil && ctx.Err() == nil:
		return nil
	}
	return err
}

// arrange makes room for what the topic holds now, and lets go of what it no longer does.
func (i *Index) arrange(whole extent.Extent) {
	for partition, s := range i.shelves {
		if r, is := whole.Partitions[partition]; !is || r.To < s.next {
			i.forget() // it is another topic of that name
			break
		}
	}
	i.passed = 0
	for partition, r := range whole.Partitions {
		from := max(r.From, r.To-i.config.Newest/int64(len(whole.Partitions)))
		i.passed += from - r.From
		s := i.shelves[partition]
		if s == nil {
			s = &shelf{}
			i.shelves[partition] = s
		}
		s.next = max(s.next, from)
		gone, _ := slices.BinarySearchFunc(s.entries, from, func(e entry, offset int64) int { return cmp.Compare(e.offset, offset) })
		s.entries = slices.Delete(s.entries, 0, gone)
	}
}

// take notes a record. away is set once the registry does not answer: each letter more would wait as long for nothing.
func (i *Index) take(ctx context.Context, record *kgo.Record, away *bool) {
	letter, note, err := parse(record)
	s := i.shelves[record.Partition]
	switch {
	case err != nil:
		s.entries = append(s.entries, entry{offset: record.Offset, foreign: true})
	case note != nil:
		if at, is := i.find(letter.Place); is {
			at.note = record.Offset
			delete(i.seen, letter.Place)
		}
	default:
		e := entry{offset: record.Offset, at: letter.At.UnixMilli(), reason: i.number(letter.Reason), stuck: refusal(letter, i.config.Orders, false) != ""}
		if i.config.Decode != nil && letter.HasValue() {
			known := false
			if !*away {
				letter.OrderID, known = orderID(ctx, i.config.Decode, record.Value)
			}
			*away, e.unnamed = !known, !known
			e.id = strings.Clone(cut(letter.OrderID, idMost))
		}
		s.entries = append(s.entries, e)
	}
}

// find is the entry of a letter.
func (i *Index) find(place Place) (*entry, bool) {
	s := i.shelves[place.Partition]
	if s == nil || place.Topic != i.config.DeadLetters {
		return nil, false
	}
	n, is := slices.BinarySearchFunc(s.entries, place.Offset, func(e entry, offset int64) int { return cmp.Compare(e.offset, offset) })
	if !is {
		return nil, false
	}
	return &s.entries[n], true
}

// number is a reason's, the last one that of all others when they are too many.
func (i *Index) number(reason string) uint16 {
	reason = cut(reason, idMost)
	if n, known := i.numbers[reason]; known {
		return n
	}
	if len(i.reasons) == reasonsMost-1 {
		reason = "others"
	}
	if len(i.reasons) < reasonsMost {
		i.reasons = append(i.reasons, strings.Clone(reason))
		i.numbers[i.reasons[len(i.reasons)-1]] = uint16(len(i.reasons) - 1)
	}
	return uint16(len(i.reasons) - 1)
}

// cut is the beginning of a text.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// connect makes a client for one question. A page asks seldom, and a client that waits for the next question would
// hold connections for it.
func (i *Index) connect() (*kgo.Client, error) {
	client, err := kgo.NewClient(i.config.Client...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return client, nil
}
