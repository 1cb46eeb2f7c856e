package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/internal/moment"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// dlqCmd is `cjrelay dlq`.
type dlqCmd struct {
	List    dlqListCmd    `cmd:"" help:"List the dead letters that wait, and why."`
	Show    dlqShowCmd    `cmd:"" help:"Show letters with what their orders hold, without click ids and what else is private."`
	Export  dlqExportCmd  `cmd:"" help:"Write the orders' original bytes to files, for a person to mend."`
	Redrive dlqRedriveCmd `cmd:"" help:"Send orders again, each once. Only tells what it would do, unless --execute is given."`
}

// dlqChoice are the flags that say which letters are meant.
type dlqChoice struct {
	Reason []string `help:"Only letters of these reasons, such as rejected,parked; may be repeated." placeholder:"REASON"`
	Since  string   `help:"Only letters written since then: a time like 2026-03-27T11:02:07.000, or a duration back from now like P7D or 12h." placeholder:"TIME"`
	Until  string   `help:"Only letters written before then, in the same form." placeholder:"TIME"`
	Limit  int      `help:"At most so many, the oldest first; all without it." placeholder:"N"`
}

// selection reads the flags.
func (c dlqChoice) selection() (s letters.Selection, err error) {
	s.Reasons, s.Limit = c.Reason, c.Limit
	if c.Limit < 0 {
		return s, &usageError{fmt.Sprintf("--limit %d: must be 1 or more", c.Limit)}
	}
	for _, reason := range c.Reason {
		if !isLetterReason(reason) {
			return s, &usageError{fmt.Sprintf("--reason %s: must be one of %s", schema.Quoted(reason), strings.Join(letterReasons(), ", "))}
		}
	}
	now := time.Now()
	for _, bound := range []struct {
		flag, text string
		at         *time.Time
	}{{"--since", c.Since, &s.Since}, {"--until", c.Until, &s.Until}} {
		if bound.text == "" {
			continue
		}
		if *bound.at, err = pointInTime(bound.text, now); err != nil {
			return s, &usageError{fmt.Sprintf("%s %s: %v", bound.flag, schema.Quoted(bound.text), err)}
		}
	}
	return s, nil
}

// pointInTime is a time, or one so long before now.
func pointInTime(text string, now time.Time) (time.Time, error) {
	at, err := moment.Datetime(text)
	if err == nil {
		return at, nil
	}
	back, errBack := moment.Duration(text)
	if errBack != nil {
		return time.Time{}, fmt.Errorf("%w; or a duration back from now, like P7D", err)
	}
	return now.Add(-back), nil
}

// letterReasons are those that a letter can have.
func letterReasons() []string {
	var all []string
	for _, reason := range schema.Reasons[schema.DeadLetter] {
		all = append(all, string(reason))
	}
	return append(all, string(schema.Parked), letters.ReasonTooLarge)
}

func isLetterReason(reason string) bool {
	for _, known := range letterReasons() {
		if reason == known {
			return true
		}
	}
	return false
}

// desk is what each of the dlq verbs works with: a configuration, a connection, and all letters.
type desk struct {
	config config.Config
	client *kgo.Client
	decode schema.OrderDecoder
	box    *letters.Box
}

// openDesk reads the dead-letter topic. The desk must be closed.
func openDesk(ctx context.Context, flag configFlag, stdio *stdio) (*desk, error) {
	cfg, err := flag.load(config.ForReading)
	if err != nil {
		return nil, err
	}
	d := &desk{config: cfg}
	if d.decode, _, err = relay.Decoders(cfg, nil); err != nil {
		return nil, err
	}
	if d.client, err = kgo.NewClient(kafkaOnce(cfg)...); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	d.box, err = letters.Open(ctx, d.client, cfg.DeadLetter.Topic, d.decode)
	if err == nil {
		if d.box.Unnamed > 0 {
			fmt.Fprintf(stdio.Err, "the schema registry does not answer; letters shown without their order's id: %d\n", d.box.Unnamed)
		}
		return d, nil
	}
	d.client.Close()
	switch {
	case ctx.Err() != nil:
		return nil, errInterrupted
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return nil, fmt.Errorf("dead_letter.topic %q does not exist: make it with `cjrelay topics`", cfg.DeadLetter.Topic)
	}
	return nil, fmt.Errorf("kafka at %v: %w", cfg.Kafka.Brokers, err)
}

func (d *desk) close() { d.client.Close() }

// choose applies a selection, and complains of names that mean nothing.
func (d *desk) choose(s letters.Selection) ([]letters.Letter, error) {
	if missing := d.box.Unmatched(s); len(missing) > 0 {
		quoted := make([]string, len(missing))
		for i, name := range missing {
			quoted[i] = schema.Quoted(name)
		}
		return nil, fmt.Errorf("neither a letter's place nor the order id of one: %s: `cjrelay dlq list --redriven` shows all letters", strings.Join(quoted, ", "))
	}
	return d.box.Choose(s), nil
}

// kafkaOnce is how a verb reaches Kafka that a person waits for: a cluster that does not answer is an error soon.
func kafkaOnce(cfg config.Config) []kgo.Opt {
	return append(relay.Kafka(cfg.Kafka), kgo.RetryTimeout(15*time.Second))
}
