package letters

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/schema"
)

// Box is the dead-letter topic up to its end as it was when it was opened. It holds no order's bytes.
type Box struct {
	// Letters are in the order in which they were written, those of one moment by place.
	Letters []Letter
	// Foreign is how many records are not ours. They stay where they are.
	Foreign int
	// Unnamed is how many letters could not be asked for their order's id because the schema registry is away.
	Unnamed int

	client *kgo.Client
	topic  string
}

// Open reads the topic. With a decoder the letters have their orders' ids.
func Open(ctx context.Context, client *kgo.Client, topic string, decode schema.OrderDecoder) (*Box, error) {
	whole, err := extent.Whole(ctx, client, topic)
	if err != nil {
		return nil, err
	}
	b := &Box{client: client, topic: topic}
	notes := map[Place]*Redriven{}
	var mu sync.Mutex
	// Once the registry does not answer, each letter more would wait as long for nothing.
	var away atomic.Bool
	err = whole.Read(ctx, client, func(batch extent.Batch) error {
		for _, record := range batch.Records {
			letter, note, err := parse(record)
			named := true
			if err == nil && note == nil && decode != nil && letter.HasValue() {
				if named = !away.Load(); named {
					letter.OrderID, named = orderID(ctx, decode, record.Value)
					if !named {
						away.Store(true)
					}
				}
			}
			mu.Lock()
			switch {
			case err != nil:
				b.Foreign++
			case note != nil:
				notes[letter.Place] = note
			default:
				b.Letters = append(b.Letters, letter)
			}
			if !named {
				b.Unnamed++
			}
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range b.Letters {
		b.Letters[i].Redriven = notes[b.Letters[i].Place]
	}
	slices.SortFunc(b.Letters, func(a, z Letter) int {
		return cmp.Or(a.At.Compare(z.At), cmp.Compare(a.Place.Partition, z.Place.Partition), cmp.Compare(a.Place.Offset, z.Place.Offset))
	})
	return b, nil
}

// orderID is the id of the order that the bytes hold, as far as they hold one. It reports false when nobody can say
// before the registry is back.
func orderID(ctx context.Context, decode schema.OrderDecoder, value []byte) (id string, known bool) {
	order, err := decode(ctx, value)
	var invalid *schema.InvalidError
	switch {
	case err == nil:
		return order.ID, true
	case !errors.As(err, &invalid):
		return "", false
	case invalid.Read != nil:
		return invalid.Read.ID, true
	}
	return "", true
}

// Fetch hands each of these letters to one call with its record, those of one partition in their order and all of
// them one after another. Letters that retention takes meanwhile are left out.
func (b *Box) Fetch(ctx context.Context, chosen []Letter, each func(Letter, *kgo.Record) error) error {
	return fetchLetters(ctx, b.client, b.topic, chosen, each)
}

func fetchLetters(ctx context.Context, client *kgo.Client, topic string, chosen []Letter, each func(Letter, *kgo.Record) error) error {
	letters, places := map[Place]Letter{}, make([]Place, len(chosen))
	for i, l := range chosen {
		letters[l.Place], places[i] = l, l.Place
	}
	return fetch(ctx, client, topic, places, func(record *kgo.Record) error {
		return each(letters[Place{topic, record.Partition, record.Offset}], record)
	})
}
