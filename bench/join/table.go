//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// Table is a click table as the relay has one.
type Table struct {
	task  task
	store *sessions.Disk
	table *sessions.Table
	stop  context.CancelFunc
	ended chan error
}

// Restored is a table from its opening until its first gate opened.
type Restored struct {
	Read
	Disk int64
}

// Opened says how a table is opened: Step names its processor profile, Records is how many the topic has.
type Opened struct {
	Step    string
	Records int
}

// Restore opens the table and waits for the gate.
func (t *Table) Restore(opened Opened, restored *Restored) error {
	stopProfile, err := startProfile(t.task.Profile, opened.Step)
	if err != nil {
		return err
	}
	defer stopProfile()
	used, start := processorTime(), time.Now()
	if err := t.open(); err != nil {
		return err
	}
	open := make(chan error, 1)
	go func() { open <- t.table.Gate().Wait(context.Background(), 0) }()
	select {
	case err = <-open:
	case err = <-t.ended:
		err = errors.Join(errors.New("the table ended"), err)
	}
	if err != nil {
		return err
	}
	restored.Records, restored.Took, restored.Processor = opened.Records, time.Since(start), processorTime()-used
	if restored.Disk, err = diskUse(t.task.Dir); err != nil {
		return err
	}
	restored.Peak, err = peakMemory()
	return err
}

// open opens the table as the relay does.
func (t *Table) open() error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var registry *schema.Registry
	if t.task.Shoppers.Format == schema.FormatAvro {
		client, err := sr.NewClient(sr.URLs(t.task.World.Registry))
		if err != nil {
			return err
		}
		registry = schema.NewRegistry(client)
	}
	decode, err := schema.NewClickDecoder(t.task.Shoppers.Format, registry)
	if err != nil {
		return err
	}
	if t.store, err = sessions.OpenDisk(sessions.DiskConfig{Dir: t.task.Dir, MemoryBytes: t.task.Memory, Log: log}); err != nil {
		return err
	}
	t.table, err = sessions.Open(sessions.Config{
		Topic: t.task.Topic, Window: config.Default().Clicks.Window, BatchMemory: t.store.BatchMemory(), Decode: decode,
		Client: []kgo.Opt{kgo.SeedBrokers(t.task.World.Brokers...)}, Log: log,
	}, t.store)
	if err != nil {
		return err
	}
	var ctx context.Context
	ctx, t.stop = context.WithCancel(context.Background())
	t.ended = make(chan error, 1)
	go func() { t.ended <- t.table.Run(ctx) }()
	return nil
}

// close ends a table that was opened.
func (t *Table) close() error {
	var err error
	if t.stop != nil {
		t.stop()
		err = <-t.ended
		t.table.Close()
	}
	if t.store != nil {
		err = errors.Join(err, t.store.Close())
	}
	return err
}

// Settled is a table whose files are brought together.
type Settled struct {
	Took     time.Duration
	Disk     int64
	Sessions int64
}

// rest is how long a table must do next to nothing to have settled.
const rest = 3 * time.Second

// Settle waits until the table has nothing left to do.
func (t *Table) Settle(_ struct{}, settled *Settled) (err error) {
	start := time.Now()
	for busy := start; time.Since(busy) < rest; {
		used := processorTime()
		time.Sleep(rest / 12)
		if processorTime()-used > rest/12/20 {
			busy = time.Now()
			settled.Took = busy.Sub(start)
		}
	}
	settled.Sessions = t.store.Sessions()
	settled.Disk, err = diskUse(t.task.Dir)
	return err
}

// Cache brings the table's files into the page cache.
func (t *Table) Cache(struct{}, *struct{}) error { return cache(t.task.Dir) }

// Evict does the opposite, and tells which share of the files is still there.
func (t *Table) Evict(_ struct{}, left *float64) (err error) {
	*left, err = evict(t.task.Dir)
	return err
}

// Peak is the most memory that has been resident, in bytes.
func (t *Table) Peak(_ struct{}, peak *int64) (err error) {
	*peak, err = peakMemory()
	return err
}

// startProfile profiles one step when a file is named.
func startProfile(name, step string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	file, err := os.Create(fmt.Sprintf("%s.%s", name, step))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, nil
}
