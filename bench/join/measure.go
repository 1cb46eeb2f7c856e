//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tail is how many clicks came while a table that is started again was away.
const tail = 10_000

// benchmark is one run.
type benchmark struct {
	options
	out    io.Writer
	task   task
	client *kgo.Client
	admin  *kadm.Client
	// records is how many the topic has.
	records int
	results results
}

// measure does everything, printing each step as it ends.
func measure(ctx context.Context, o options, out io.Writer) (err error) {
	dir, err := os.MkdirTemp(o.dir, "cjrelay-bench-join-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := startWorld(ctx, filepath.Join(dir, "kafka"), o.brokers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	b := &benchmark{options: o, out: out, client: client, admin: kadm.NewClient(client), task: task{
		World: world{Brokers: w.Brokers, Registry: w.Registry}, Topic: "cjevent-" + strconv.FormatInt(time.Now().UnixNano(), 36),
		Shoppers: shoppers{Format: o.format, Until: time.Now().UTC().Truncate(time.Millisecond)}, Dir: filepath.Join(dir, "table"),
		Memory: o.memory, Profile: o.profile,
	}}
	b.print("machine", "%s", machine())
	if err := b.fill(ctx); err != nil {
		return err
	}
	defer func() {
		_, deleted := b.admin.DeleteTopics(context.WithoutCancel(ctx), b.task.Topic)
		err = errors.Join(err, deleted)
	}()
	if err := b.restore(ctx); err != nil {
		return err
	}
	if err := b.restart(ctx); err != nil {
		return err
	}
	b.results.print(out, o)
	return nil
}

// print writes the line of a step that ended.
func (b *benchmark) print(step, format string, a ...any) {
	fmt.Fprintf(b.out, "%-22s %s\n", step, fmt.Sprintf(format, a...))
}

// fill makes the topic with its clicks.
func (b *benchmark) fill(ctx context.Context) error {
	setting := func(value string) *string { return &value }
	_, err := b.admin.CreateTopic(ctx, int32(b.partitions), 1, map[string]*string{
		"cleanup.policy": setting("compact,delete"), "retention.ms": setting("-1"),
		"delete.retention.ms":   setting(strconv.FormatInt(monthBack.Milliseconds(), 10)),
		"min.compaction.lag.ms": setting(strconv.FormatInt(2*monthBack.Milliseconds(), 10)),
	}, b.task.Topic)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := b.produce(ctx, b.sessions); err != nil {
		return err
	}
	b.print("fill", "%6.2f s for %d sessions, %s, in %d partitions (not judged)", time.Since(start).Seconds(), b.sessions, b.format, b.partitions)
	return nil
}

// produce writes the clicks of so many further sessions.
func (b *benchmark) produce(ctx context.Context, sessions int) error {
	defer func() { b.records += sessions }()
	return b.task.Shoppers.produce(ctx, b.client, b.task.Topic, b.records, b.records+sessions)
}

// restore reads the topic, bare and into an empty table, in turns.
func (b *benchmark) restore(ctx context.Context) error {
	if err := b.raw(ctx); err != nil {
		return err
	}
	for round := range b.rounds {
		if err := b.cold(ctx, round == b.rounds-1); err != nil {
			return err
		}
		if err := b.raw(ctx); err != nil {
			return err
		}
		raw := b.results.raw
		ratio := b.results.cold[round].rate() / medianOf([]float64{raw[round].rate(), raw[round+1].rate()})
		b.results.ratios = append(b.results.ratios, ratio)
		b.print("", "restore is %.2f of the raw reads before and after it", ratio)
	}
	return nil
}

// with runs a subject for some steps.
func (b *benchmark) with(ctx context.Context, steps func(s *subject) error) error {
	s, err := startSubject(ctx, b.task)
	if err != nil {
		return err
	}
	err = steps(s)
	return errors.Join(err, s.stop())
}

func (b *benchmark) raw(ctx context.Context) error {
	return b.with(ctx, func(s *subject) error {
		var read Read
		if err := s.Call("Raw.Read", b.records, &read); err != nil {
			return err
		}
		b.results.raw = append(b.results.raw, read)
		b.print("raw read", "%s", read)
		return nil
	})
}

// cold restores an empty table. The last time it is looked into, and stays.
func (b *benchmark) cold(ctx context.Context, last bool) error {
	if err := os.RemoveAll(b.task.Dir); err != nil {
		return err
	}
	return b.with(ctx, func(s *subject) error {
		var restored Restored
		if err := s.Call("Table.Restore", Opened{"restore", b.records}, &restored); err != nil {
			return err
		}
		b.results.cold = append(b.results.cold, restored.Read)
		b.print("cold start", "%s, %.0f bytes a session on disk", restored.Read, b.perSession(restored.Disk))
		if !last {
			return nil
		}
		_, err := b.lookups(s, "lookups at once", Asked{Lookups: b.many() / 4, Goroutines: 1, Profile: "early"})
		return err
	})
}

func (b *benchmark) perSession(bytes int64) float64 { return float64(bytes) / float64(b.records) }

// look looks sessions up when the table has settled.
func (b *benchmark) look(s *subject) error {
	cores := runtime.GOMAXPROCS(0)
	var settled Settled
	if err := s.Call("Table.Settle", struct{}{}, &settled); err != nil {
		return err
	}
	b.results.perSession = b.perSession(settled.Disk)
	b.print("settled", "%6.2f s later: %.1f bytes a session on disk, about %d sessions", settled.Took.Seconds(), b.perSession(settled.Disk), settled.Sessions)
	if err := s.Call("Table.Cache", struct{}{}, nil); err != nil {
		return err
	}
	var discarded Lookups
	if err := s.Call("Table.Lookup", Asked{Sessions: b.records, Lookups: b.many(), Goroutines: cores}, &discarded); err != nil {
		return err
	}
	var err error
	if b.results.hot, err = b.lookups(s, "hot lookups, 1 thread", Asked{Lookups: b.many(), Goroutines: 1, Profile: "hot"}); err != nil {
		return err
	}
	if b.results.hotAll, err = b.lookups(s, fmt.Sprintf("hot lookups, %d threads", cores), Asked{Lookups: b.many(), Goroutines: cores}); err != nil {
		return err
	}
	if _, err := b.lookups(s, "hot, absent sessions", Asked{Lookups: b.many(), Goroutines: 1, Absent: true, Profile: "absent"}); err != nil {
		return err
	}
	var peak int64
	if err := s.Call("Table.Peak", struct{}{}, &peak); err != nil {
		return err
	}
	for _, cold := range b.results.cold {
		peak = max(peak, cold.Peak)
	}
	b.results.peak = peak
	b.print("memory", "%d MiB at most, in the restore or since; clicks.memory is %d MiB", peak>>20, b.memory>>20)
	return nil
}

// many is how many lookups a goroutine makes where they are fast.
func (b *benchmark) many() int { return max(b.sessions/25, 1_000) }

// lookups makes lookups spread over all sessions and prints how they went.
func (b *benchmark) lookups(s *subject, step string, asked Asked) (Lookups, error) {
	var made Lookups
	asked.Sessions = b.records
	if err := s.Call("Table.Lookup", asked, &made); err != nil {
		return made, err
	}
	b.print(step, "%s", made)
	return made, nil
}

// restart starts the table again with clicks that came meanwhile: closed right after its restore, closed after it
// has settled, and killed. The table that is started the second time has nothing cached.
func (b *benchmark) restart(ctx context.Context) error {
	if err := b.produce(ctx, tail); err != nil {
		return err
	}
	err := b.with(ctx, func(s *subject) (err error) {
		if b.results.unsettled, err = b.warm(s, "warm start, unsettled", "unsettled"); err != nil {
			return err
		}
		return b.look(s)
	})
	if err := errors.Join(err, b.produce(ctx, tail)); err != nil {
		return err
	}
	s, err := startSubject(ctx, b.task)
	if err != nil {
		return err
	}
	if b.results.warm, err = b.warm(s, "warm start", "warm"); err == nil {
		err = b.lookCold(s)
	}
	if err != nil {
		return errors.Join(err, s.stop())
	}
	if err := errors.Join(b.produce(ctx, tail), s.kill()); err != nil {
		return err
	}
	return b.with(ctx, func(s *subject) (err error) {
		b.results.killed, err = b.warm(s, "after a kill", "killed")
		return err
	})
}

func (b *benchmark) warm(s *subject, step, profile string) (Restored, error) {
	var restored Restored
	if err := s.Call("Table.Restore", Opened{profile, b.records}, &restored); err != nil {
		return restored, err
	}
	b.print(step, "%6.3f s, %d clicks behind, %d MiB at most", restored.Took.Seconds(), tail, restored.Peak>>20)
	return restored, nil
}

// lookCold looks sessions up in a table that was just started, after the system was made to forget its files.
func (b *benchmark) lookCold(s *subject) error {
	var left float64
	for _, absent := range []bool{false, true} {
		if err := s.Call("Table.Evict", struct{}{}, &left); err != nil {
			return err
		}
		step := "cold lookups, 1 thread"
		if absent {
			step = "cold, absent sessions"
		}
		if _, err := b.lookups(s, step, Asked{Lookups: max(b.many()/20, 1_000), Goroutines: 1, Absent: absent}); err != nil {
			return err
		}
	}
	b.print("", "cold: the files were evicted from the page cache (%.1f %% of it was left), the table has just been started", 100*left)
	return nil
}

func medianOf(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
