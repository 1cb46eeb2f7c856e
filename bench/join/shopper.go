//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// shoppers are the sessions with their clicks, made up from a counter, so that nobody has to keep them.
type shoppers struct {
	Format string
	// Until is when the latest click was caught; the earliest lie monthBack before it.
	Until time.Time
}

const monthBack = 30 * 24 * time.Hour

// session is the n-th session: a random UUID in lower case.
func (s shoppers) session(n int) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], mix(uint64(n)*3))
	binary.BigEndian.PutUint64(id[8:], mix(uint64(n)*3+1))
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	var text [36]byte
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// click is the click of the n-th session.
func (s shoppers) click(n int) schema.Click {
	random := mix(uint64(n)*3 + 2)
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], random)
	binary.BigEndian.PutUint64(id[8:], mix(random))
	back := time.Duration(random % uint64(monthBack/time.Millisecond))
	return schema.Click{ID: hex.EncodeToString(id[:]), CapturedAt: s.Until.Add(-back * time.Millisecond)}
}

// mix is splitmix64: it turns a counter into numbers that look random.
func mix(n uint64) uint64 {
	n = (n + 1) * 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// record is the click of the n-th session as the edge writes it.
func (s shoppers) record(topic string, n int) (*kgo.Record, error) {
	click := s.click(n)
	record := &kgo.Record{Topic: topic, Key: []byte(s.session(n)), Timestamp: click.CapturedAt}
	var err error
	switch s.Format {
	case schema.FormatAvro:
		record.Value, err = schema.EncodeClick(clickSchemaID, click)
	case schema.FormatJSON:
		record.Value = []byte(`{"cjevent":"` + click.ID + `","captured_at":"` + click.CapturedAt.UTC().Format(time.RFC3339Nano) + `"}`)
	default:
		record.Value = []byte(click.ID)
	}
	return record, err
}

// produce writes the clicks of sessions from one number up to before another.
func (s shoppers) produce(ctx context.Context, client *kgo.Client, topic string, from, to int) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	for n := from; n < to && ctx.Err() == nil; n++ {
		record, err := s.record(topic, n)
		if err != nil {
			return err
		}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				fail(err)
			}
		})
	}
	if err := client.Flush(ctx); ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}
