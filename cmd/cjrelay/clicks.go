package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
)

// clicksCmd is `cjrelay clicks`.
type clicksCmd struct {
	Get    clicksGetCmd    `cmd:"" help:"Show the clicks of a session and which of them counts for an order of it, or why none does."`
	Forget clicksForgetCmd `cmd:"" help:"Erase a session: its clicks are gone from the topic and from every click table."`
}

// clicksGetCmd is `cjrelay clicks get`.
type clicksGetCmd struct {
	configFlag
	Session sessionID `arg:"" help:"The session's id, as its orders carry it. Write -- before one that begins with a dash."`
	At      *string   `help:"When the order is confirmed, in RFC 3339 with a zone, like 2026-03-27T11:02:07Z; now without it." placeholder:"TIME"`
	From    string    `enum:"auto,table,topic" default:"auto" help:"Where to look: table, the process that runs at admin.listen; topic, the whole click topic, which takes as long as reading it; auto, the default, the table, or the topic where no process runs or it does not have the session's partition." placeholder:"WHERE"`
	Output  string    `short:"o" enum:"text,json" default:"text" help:"Form of the answer: text or json."`
}

// sessionID is an argument of any bytes. The parser takes other text through JSON, which replaces what is not UTF-8:
// then another session would be looked up.
type sessionID string

// Decode implements kong.MapperValue.
func (s *sessionID) Decode(ctx *kong.DecodeContext) error {
	token, err := ctx.Scan.PopValue("session")
	if err != nil {
		return err
	}
	text, _ := token.Value.(string)
	*s = sessionID(text)
	return nil
}

// topicPatience is how long nothing may move while the click topic is read. A single fetch takes a while from far away.
const topicPatience = time.Minute

// Run prints what is known. A session without a click that counts is an answer too.
func (c *clicksGetCmd) Run(ctx context.Context, stdio *stdio) error {
	if c.Session == "" {
		return &usageError{"SESSION is empty: an order without a session is unattributed with no_session, there is nothing to look up"}
	}
	at := time.Now().UTC()
	if c.At != nil {
		var err error
		if at, err = console.ParseTime(*c.At); err != nil {
			return &usageError{"--at " + err.Error()}
		}
	}
	cfg, err := c.load(config.ForClicks)
	if err != nil {
		return err
	}
	found, where, err := c.find(ctx, cfg, stdio, at)
	if err != nil {
		return err
	}
	found.Session, found.At = string(c.Session), at
	if c.Output == "json" {
		return json.NewEncoder(stdio.Out).Encode(found)
	}
	return writeClicks(stdio.Out, found, where)
}

// find looks the session up, and says where.
func (c *clicksGetCmd) find(ctx context.Context, cfg config.Config, stdio *stdio, at time.Time) (found console.SessionClicks, where string, err error) {
	if c.From != "topic" {
		found, err = askTable(ctx, cfg.Admin, string(c.Session), at)
		switch {
		case err == nil:
			return found, fmt.Sprintf("the click table of the process at %s", cfg.Admin.Listen), nil
		case ctx.Err() != nil:
			return found, "", errInterrupted
		case c.From == "table", !errors.Is(err, errNoProcess) && !errors.Is(err, console.ErrElsewhere):
			return found, "", fmt.Errorf("%w (--from topic reads the click topic itself)", err)
		}
		fmt.Fprintf(stdio.Err, "%v; reading topic %s\n", err, cfg.Clicks.Topic)
	}
	progress := newProgress(stdio.Err)
	var total int64
	show := func(left int64) {
		total = max(total, left)
		progress.show("reading the click topic", total-left, total, "")
	}
	look := relay.TopicLook{Config: cfg, Log: newLog(stdio.Err, config.Log{Level: "warn", Format: cfg.Log.Format}), Patience: topicPatience, Progress: show}
	seen, err := look.Look(ctx, string(c.Session), at)
	progress.clear()
	if ctx.Err() != nil {
		return found, "", errInterrupted
	}
	return relay.ShownClicks(string(c.Session), at, console.SourceTopic, seen), "topic " + cfg.Clicks.Topic, err
}

var errInterrupted = errors.New("interrupted")
