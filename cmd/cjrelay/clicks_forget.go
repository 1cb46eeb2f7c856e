package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/edge"
)

// clicksForgetCmd is `cjrelay clicks forget`.
type clicksForgetCmd struct {
	configFlag
	Session sessionID `arg:"" help:"The session's id, as its orders carry it. Write -- before one that begins with a dash."`
	Edge    []string  `help:"The admin ports of all edges of the shop; capture.admin_listen without it. Each must be asked: a click that waits in the spool of one would undo the erasure." placeholder:"HOST:PORT"`
}

// unreached is what an erasure leaves where it is.
const unreached = `Not reached by this, since it is kept for other reasons and until its own retention ends:
  - orders, outcomes and dead letters of the session: orders.topic, outcomes.topic, dead_letter.topic
  - what was reported to CJ already
  - the shopper's own cookies cje, cjrelay_click and cjrelay_session: expire them in the shop, or the next visit writes the click again under a new session
  - other sessions of the same shopper: forget each
  - backups and copies of the click topic
Until the click topic is compacted its old segments still hold the clicks; no table shows them any more.
`

// Run erases the session.
func (c *clicksForgetCmd) Run(ctx context.Context, stdio *stdio) error {
	if c.Session == "" {
		return &usageError{"SESSION is empty: there is nothing to forget"}
	}
	cfg, err := c.load(config.ForTopics)
	if err != nil {
		return err
	}
	key, edges := "--edge", c.Edge
	if len(edges) == 0 {
		key, edges = "capture.admin_listen", []string{cfg.Capture.AdminListen}
	}
	for _, address := range edges {
		err := askEdge(ctx, adminPort{key, address, cfg.Admin.Token}, string(c.Session))
		switch {
		case err == nil:
			fmt.Fprintf(stdio.Out, "forgotten by the edge at %s\n", address)
		case ctx.Err() != nil:
			return errInterrupted
		case len(c.Edge) > 0 && errors.Is(err, errNoProcess):
			return fmt.Errorf("%w; clicks in its spool would undo the erasure: start it and call this again", err)
		case errors.Is(err, errNoProcess):
			fmt.Fprintf(stdio.Err, "%v; writing to topic %s\n", err, cfg.Clicks.Topic)
			if err := forgetAlone(ctx, cfg, stdio, string(c.Session)); err != nil {
				return err
			}
			fmt.Fprintf(stdio.Out, "forgotten in topic %s\n", cfg.Clicks.Topic)
		default:
			return err
		}
	}
	_, err = io.WriteString(stdio.Err, unreached)
	return err
}

// askEdge lets a running edge forget the session: behind the clicks that it has taken and not produced yet.
func askEdge(ctx context.Context, port adminPort, session string) error {
	body, err := json.Marshal(console.ForgetRequest{Session: session})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, adminPatience)
	defer cancel()
	response, err := port.do(ctx, http.MethodPost, console.ForgetPath, nil, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	switch {
	case err != nil:
		return fmt.Errorf("asking the edge at %s: %w", port.address, err)
	case response.StatusCode == http.StatusNoContent:
		return nil
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("what answers at %s forgets nothing: it is not `cjrelay capture`", port.address)
	}
	return fmt.Errorf("the edge at %s answers with status %d: %s", port.address, response.StatusCode, strings.TrimSpace(string(said)))
}

// forgetPatience is how long Kafka may take for an erasure where no edge runs.
const forgetPatience = 30 * time.Second

// forgetAlone does what an edge would do, with the spool of the one that ran here last: what waits in it goes out
// first, or an older click would undo the erasure.
func forgetAlone(ctx context.Context, cfg config.Config, stdio *stdio, session string) (err error) {
	kept := true
	if _, err := os.Stat(cfg.Capture.SpoolDir); err != nil {
		kept = false
		if cfg.Capture.SpoolDir, err = os.MkdirTemp("", "cjrelay-forget-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.Capture.SpoolDir)) }()
	}
	left, err := edge.Forget(ctx, cfg, newLog(stdio.Err, config.Log{Level: "warn", Format: cfg.Log.Format}), session, forgetPatience)
	switch {
	case err != nil:
		return err
	case left > 0 && kept:
		return fmt.Errorf("kafka did not take the erasure within %s: it waits in capture.spool_dir %s and goes out when the edge starts, or when this is called again",
			forgetPatience, cfg.Capture.SpoolDir)
	case left > 0:
		return fmt.Errorf("kafka at %v did not take the erasure within %s: try again", cfg.Kafka.Brokers, forgetPatience)
	}
	return nil
}
