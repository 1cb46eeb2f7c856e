package letters

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Question is which letters somebody wants to see. Every part of it that is set must hold.
type Question struct {
	// Reason is the letters', Part a part of their orders' ids in any case.
	Reason, Part string
	// Redriven asks for those that were sent again, rather than those that wait.
	Redriven bool
	// Limit is how many of the latest are wanted, 1 or more.
	Limit int
}

// Listing is the answer.
type Listing struct {
	// Letters are those that fit, latest first.
	Letters []Letter
	// Waiting is how many wait, by reason, whatever was asked for; Stuck how many of them cannot be sent again as they are.
	Waiting, Stuck map[string]int
	// Redriven were sent again, Foreign are not ours. Unnamed have no order's id since the schema registry was away.
	Redriven, Foreign, Unnamed int
	// Unread offsets of the topic are still to be read; the next question goes on with them. Passed ones, the oldest,
	// are not looked at, since there are too many.
	Unread, Passed int64
}

// List answers a question, of a topic with many letters after some seconds with what is read by then.
func (i *Index) List(ctx context.Context, asked Question) (Listing, error) {
	if err := i.enter(ctx); err != nil {
		return Listing{}, err
	}
	defer i.leave()
	client, err := i.connect()
	if err != nil {
		return Listing{}, err
	}
	defer client.Close()
	if err := i.catchUp(ctx, client); err != nil {
		return Listing{}, err
	}
	list := i.counts()
	if asked.Part != "" && list.Unnamed > 0 && list.Unread == 0 {
		// Perhaps the registry is back.
		i.forget()
		i.read = time.Time{}
		if err := i.catchUp(ctx, client); err != nil {
			return Listing{}, err
		}
		list = i.counts()
	}
	list.Letters, err = i.whole(ctx, client, i.choose(asked))
	return list, err
}

func (i *Index) counts() Listing {
	list := Listing{Waiting: map[string]int{}, Stuck: map[string]int{}, Unread: i.unread, Passed: i.passed}
	waiting, stuck := make([]int, len(i.reasons)), make([]int, len(i.reasons))
	for _, s := range i.shelves {
		for n := range s.entries {
			e := &s.entries[n]
			switch {
			case e.foreign:
				list.Foreign++
			case e.note != 0:
				list.Redriven++
			default:
				waiting[e.reason]++
				if e.stuck {
					stuck[e.reason]++
				}
			}
			if e.unnamed {
				list.Unnamed++
			}
		}
	}
	for n, reason := range i.reasons {
		if waiting[n] > 0 {
			list.Waiting[reason] = waiting[n]
		}
		if stuck[n] > 0 {
			list.Stuck[reason] = stuck[n]
		}
	}
	return list
}

// found is an entry with its partition.
type found struct {
	partition int32
	*entry
}

// choose finds the latest letters that fit. Those of one partition were written about in the order of their offsets,
// so the last ones of each are enough.
func (i *Index) choose(asked Question) []found {
	part := strings.ToLower(asked.Part)
	var all []found
	for partition, s := range i.shelves {
		n := 0
		for e := range backward(s.entries) {
			if e.foreign || asked.Redriven == e.waits() || asked.Reason != "" && i.reasons[e.reason] != asked.Reason ||
				part != "" && !strings.Contains(strings.ToLower(e.id), part) {
				continue
			}
			all = append(all, found{partition, e})
			if n++; n == asked.Limit {
				break
			}
		}
	}
	slices.SortFunc(all, latest)
	return all[:min(len(all), asked.Limit)]
}

func latest(a, z found) int {
	return cmp.Or(cmp.Compare(z.at, a.at), cmp.Compare(a.partition, z.partition), cmp.Compare(z.offset, a.offset))
}

// backward goes from the last entry to the first.
func backward(entries []entry) func(func(*entry) bool) {
	return func(yield func(*entry) bool) {
		for n := len(entries) - 1; n >= 0; n-- {
			if !yield(&entries[n]) {
				return
			}
		}
	}
}

// whole reads the letters that are to be shown. Those that retention has just taken are left out.
func (i *Index) whole(ctx context.Context, client *kgo.Client, chosen []found) ([]Letter, error) {
	if len(i.seen) > seenMost {
		i.seen = map[Place]Letter{}
	}
	var missing []Place
	for _, f := range chosen {
		if _, is := i.seen[i.place(f)]; is {
			continue
		}
		missing = append(missing, i.place(f))
		if f.note != 0 {
			missing = append(missing, Place{i.config.DeadLetters, f.partition, f.note})
		}
	}
	notes := map[Place]*Redriven{}
	err := fetch(ctx, client, i.config.DeadLetters, missing, func(record *kgo.Record) error {
		letter, note, err := parse(record)
		switch {
		case err != nil:
		case note != nil:
			notes[letter.Place] = note
		default:
			for _, text := range []*string{&letter.Error, &letter.Reason, &letter.Version, &letter.From, &letter.Mended} {
				*text = strings.Clone(cut(*text, textMost))
			}
			i.seen[letter.Place] = letter
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	letters := make([]Letter, 0, len(chosen))
	for _, f := range chosen {
		letter, is := i.seen[i.place(f)]
		if !is {
			continue
		}
		letter.OrderID = f.id
		if note := notes[letter.Place]; note != nil {
			letter.Redriven = note
		}
		i.seen[letter.Place] = letter
		letters = append(letters, letter)
	}
	return letters, nil
}

func (i *Index) place(f found) Place { return Place{i.config.DeadLetters, f.partition, f.offset} }

// Waiting are the letters of a reason that wait and may be sent again, oldest first, limit at most, with nothing but
// their places and orders' ids; and how many there are in all. They are read to the end first, or until ctx ends,
// which is an error.
func (i *Index) Waiting(ctx context.Context, reason string, limit int) (chosen []Letter, all int, err error) {
	if err := i.enter(ctx); err != nil {
		return nil, 0, err
	}
	defer i.leave()
	client, err := i.connect()
	if err != nil {
		return nil, 0, err
	}
	defer client.Close()
	for {
		if err := i.catchUp(ctx, client); err != nil {
			return nil, 0, err
		}
		if i.unread == 0 {
			break
		}
	}
	var fit []found
	for partition, s := range i.shelves {
		for n := range s.entries {
			if e := &s.entries[n]; e.waits() && !e.stuck && i.reasons[e.reason] == reason {
				fit = append(fit, found{partition, e})
			}
		}
	}
	slices.SortFunc(fit, func(a, z found) int { return latest(z, a) })
	for _, f := range fit[:min(len(fit), limit)] {
		chosen = append(chosen, Letter{Place: i.place(f), OrderID: f.id})
	}
	return chosen, len(fit), nil
}
