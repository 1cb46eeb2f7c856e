//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/sessions"
)

// Raw reads the topic with a bare client.
type Raw struct{ task task }

// Read is one reading of all records of the topic.
type Read struct {
	Records   int
	Took      time.Duration
	Processor time.Duration
	// Peak is the most memory that was resident, in bytes.
	Peak int64
}

func (r Read) rate() float64 { return float64(r.Records) / r.Took.Seconds() }
func (r Read) each() float64 { return float64(r.Processor.Nanoseconds()) / float64(r.Records) / 1e3 }
func (r Read) String() string {
	return fmt.Sprintf("%6.2f s  %9.0f records/s  %5.2f us processor time each  %4d MiB at most", r.Took.Seconds(), r.rate(), r.each(), r.Peak>>20)
}

// Read reads so many records, with the fetch options of the click table, and looks at none.
func (r *Raw) Read(records int, read *Read) (err error) {
	client, err := kgo.NewClient(append(sessions.FetchOptions(), kgo.SeedBrokers(r.task.World.Brokers...), kgo.ConsumeTopics(r.task.Topic))...)
	if err != nil {
		return err
	}
	defer client.Close()
	used, start := processorTime(), time.Now()
	for read.Records < records {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return err
		}
		read.Records += fetches.NumRecords()
	}
	read.Took, read.Processor = time.Since(start), processorTime()-used
	read.Peak, err = peakMemory()
	return err
}
