package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/moment"
	"github.com/cjrelay/cjrelay/internal/replay"
	"github.com/cjrelay/cjrelay/schema"
)

// replayCmd is `cjrelay replay`.
type replayCmd struct {
	configFlag
	ToEarliest bool   `group:"Where to begin, as kafka-consumer-groups --reset-offsets says it" xor:"begin" help:"With the first record that the topic still has."`
	ToDatetime string `group:"Where to begin, as kafka-consumer-groups --reset-offsets says it" xor:"begin" help:"With the first record of that time or a later one, like 2026-03-27T00:00:00.000; without a zone it is UTC." placeholder:"TIME"`
	ByDuration string `group:"Where to begin, as kafka-consumer-groups --reset-offsets says it" xor:"begin" help:"So long before now, like P1D, PT12H or 7d." placeholder:"DURATION"`
	ToOffset   *int64 `group:"Where to begin, as kafka-consumer-groups --reset-offsets says it" xor:"begin" help:"At that offset of each partition." placeholder:"OFFSET"`
	ShiftBy    *shift `group:"Where to begin, as kafka-consumer-groups --reset-offsets says it" xor:"begin" help:"So many offsets from where the live group stands: -1000 is the last thousand of each partition." placeholder:"N"`
	FromFile   string `group:"Where to begin, as kafka-consumer-groups --reset-offsets says it" xor:"begin" help:"At the offsets in a file of topic,partition,offset lines, as Kafka's tool exports them." placeholder:"FILE"`
	Resume     string `group:"Where to begin, as kafka-consumer-groups --reset-offsets says it" xor:"begin" help:"Where the replay of that name was interrupted, with its ends and what it is for." placeholder:"NAME"`

	Partitions    []int32 `help:"Only these partitions; all without it." placeholder:"N"`
	UntilDatetime string  `help:"End before the first record of that time or a later one." placeholder:"TIME"`
	UntilOffset   *int64  `help:"End before that offset of each partition." placeholder:"OFFSET"`

	Unattributed bool `help:"Only orders that ended without a click and have one now: clicks that came late. Of the last seven days, unless a flag says where to begin."`
	Again        bool `help:"Also orders that CJ has acknowledged, with the click that they were acknowledged with, in the same words."`
	LiveGroup    bool `help:"Set the stopped live group back instead. It remembers nothing: the next run of it joins all orders anew and sends them, whatever CJ has."`

	Execute   bool     `xor:"execute" help:"Do it. Without it nothing is sent or set back."`
	DryRun    bool     `xor:"execute" help:"Only tell what would be done, as without --execute."`
	Name      string   `help:"What to call the replay, to go on with it after an interruption; the time without it." placeholder:"NAME"`
	Rate      *float64 `help:"Make at most so many requests a second; delivery.rate without it." placeholder:"N"`
	ClicksDir string   `help:"Keep the replay's click table there and use it again; in a temporary folder without it." placeholder:"DIR"`
	Output    string   `short:"o" enum:"text,json" default:"text" help:"Form of the answer: text or json."`
}

// shift is a number that may be written as Kafka's tool has it, --shift-by -1000, which the parser takes for a flag.
type shift int64

// Decode implements kong.MapperValue.
func (s *shift) Decode(ctx *kong.DecodeContext) error {
	text := fmt.Sprint(ctx.Scan.Pop().Value)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("must be a whole number, not %s", schema.Quoted(text))
	}
	*s = shift(n)
	return nil
}

// unattributedDefault is how far back misses are judged again.
const unattributedDefault = 7 * 24 * time.Hour

// replayName is what a name may be: it becomes part of the names of groups.
var replayName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,80}$`)

// Run tells what a replay would do, and does it with --execute.
func (c *replayCmd) Run(ctx context.Context, stdio *stdio) error {
	if err := c.check(); err != nil {
		return err
	}
	cfg, err := c.load(config.ForRun)
	if err != nil {
		return err
	}
	if c.Rate != nil {
		cfg.Delivery.Rate = *c.Rate
		if err := cfg.Validate(config.ForRun); err != nil {
			return fmt.Errorf("--rate: %w", err)
		}
	}
	bounds, err := c.bounds(cfg.Orders.Topic, time.Now())
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kafkaOnce(cfg)...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	progress := newProgress(stdio.Err)
	job := &replayJob{replayCmd: c, stdio: stdio, progress: progress, live: cfg.Orders.Group, client: client, admin: kadm.NewClient(client),
		log: newLog(progress, config.Log{Level: "warn", Format: cfg.Log.Format})}
	cleanUp, err := job.ownClicks(&cfg)
	if err != nil {
		return err
	}
	defer cleanUp()
	job.config = cfg
	err = job.run(ctx, bounds)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

// check finds flags that do not go together.
func (c *replayCmd) check() error {
	begins := c.ToEarliest || c.ToDatetime != "" || c.ByDuration != "" || c.ToOffset != nil || c.ShiftBy != nil || c.FromFile != "" || c.Resume != ""
	switch {
	case !begins && !c.Unattributed:
		return &usageError{"where to begin? say --to-datetime, --by-duration, --to-offset, --shift-by, --to-earliest or --from-file, or --resume a replay"}
	case c.Resume != "" && (c.Again || c.Unattributed || c.LiveGroup || c.Name != "" || len(c.Partitions) > 0 || c.UntilDatetime != "" || c.UntilOffset != nil):
		return &usageError{"--resume goes on with what the replay was begun for: say no other part or kind of it"}
	case c.LiveGroup && (c.Again || c.Unattributed || c.Name != "" || c.Rate != nil):
		return &usageError{"--live-group only sets offsets back: --again, --unattributed, --name and --rate are for a group of the replay's own"}
	case c.LiveGroup && (c.UntilDatetime != "" || c.UntilOffset != nil):
		return &usageError{"--live-group has no end: the live group goes on from where it is set back to"}
	case c.Again && c.Unattributed:
		return &usageError{"--again is for orders that CJ has, --unattributed for those that it has not: say one of them"}
	case c.ToOffset != nil && *c.ToOffset < 0:
		return &usageError{fmt.Sprintf("--to-offset %d: must be 0 or more", *c.ToOffset)}
	case c.UntilOffset != nil && *c.UntilOffset < 0:
		return &usageError{fmt.Sprintf("--until-offset %d: must be 0 or more", *c.UntilOffset)}
	}
	for flag, name := range map[string]string{"--name": c.Name, "--resume": c.Resume} {
		if name != "" && !replayName.MatchString(name) {
			return &usageError{fmt.Sprintf("%s %s: must be letters, digits, dots, dashes and underscores, at most 80", flag, schema.Quoted(name))}
		}
	}
	return nil
}

// bounds reads the flags that say which part of the orders is meant.
func (c *replayCmd) bounds(topic string, now time.Time) (b replay.Bounds, err error) {
	b.Partitions, b.UntilOffset = c.Partitions, -1
	if c.UntilOffset != nil {
		b.UntilOffset = *c.UntilOffset
	}
	if c.UntilDatetime != "" {
		if b.UntilTime, err = moment.Datetime(c.UntilDatetime); err != nil {
			return b, &usageError{fmt.Sprintf("--until-datetime %s: %v", schema.Quoted(c.UntilDatetime), err)}
		}
	}
	switch {
	case c.ToEarliest:
		b.Scenario = replay.ToEarliest()
	case c.ToDatetime != "":
		at, err := moment.Datetime(c.ToDatetime)
		if err != nil {
			return b, &usageError{fmt.Sprintf("--to-datetime %s: %v", schema.Quoted(c.ToDatetime), err)}
		}
		b.Scenario = replay.ToDatetime(at)
	case c.ByDuration != "":
		back, err := moment.Duration(c.ByDuration)
		if err != nil {
			return b, &usageError{fmt.Sprintf("--by-duration %s: %v", schema.Quoted(c.ByDuration), err)}
		}
		b.Scenario = replay.ToDatetime(now.Add(-back))
	case c.ToOffset != nil:
		b.Scenario = replay.ToOffset(*c.ToOffset)
	case c.ShiftBy != nil:
		b.Scenario = replay.ShiftBy(int64(*c.ShiftBy))
	case c.FromFile != "":
		file, err := os.Open(c.FromFile)
		if err != nil {
			return b, &usageError{"--from-file: " + err.Error()}
		}
		defer file.Close()
		if b.Scenario, err = replay.FromFile(file, topic); err != nil {
			return b, &usageError{fmt.Sprintf("--from-file %s: %v", c.FromFile, err)}
		}
	case c.Resume == "":
		b.Scenario = replay.ToDatetime(now.Add(-unattributedDefault))
	}
	return b, nil
}

// ownClicks gives the replay a click table of its own: a running relay has its own files locked.
func (j *replayJob) ownClicks(cfg *config.Config) (cleanUp func(), err error) {
	if j.ClicksDir != "" {
		if same(j.ClicksDir, cfg.Clicks.Dir) {
			return nil, &usageError{"--clicks-dir is clicks.dir, which `cjrelay run` uses: name another folder"}
		}
		cfg.Clicks.Dir = j.ClicksDir
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "cjrelay-replay-")
	if err != nil {
		return nil, err
	}
	cfg.Clicks.Dir = filepath.Join(dir, "clicks")
	return func() { _ = os.RemoveAll(dir) }, nil
}

func same(one, other string) bool {
	a, errA := filepath.Abs(one)
	b, errB := filepath.Abs(other)
	return errA == nil && errB == nil && a == b
}
