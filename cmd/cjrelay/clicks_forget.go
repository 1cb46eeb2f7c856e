package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/edge"
	"github.com/cjrelay/cjrelay/schema"
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
	if len(c.Edge) == 0 {
		err = forgetHere(ctx, cfg, stdio, string(c.Session))
	} else {
		err = forgetEverywhere(ctx, c.Edge, cfg.Admin.Token, stdio, string(c.Session))
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdio.Err, unreached)
	return err
}

// forgetHere asks the edge of this configuration, and does its work where none runs.
func forgetHere(ctx context.Context, cfg config.Config, stdio *stdio, session string) error {
	address := cfg.Capture.AdminListen
	err := askEdge(ctx, adminPort{"capture.admin_listen", address, cfg.Admin.Token}, session)
	switch {
	case err == nil:
		fmt.Fprintf(stdio.Out, "forgotten by the edge at %s\n", address)
		return nil
	case ctx.Err() != nil:
		return errInterrupted
	case !errors.Is(err, errNoProcess):
		return err
	}
	fmt.Fprintf(stdio.Err, "%v; writing to topic %s\n", err, cfg.Clicks.Topic)
	if err := forgetAlone(ctx, cfg, stdio, session); err != nil {
		return err
	}
	fmt.Fprintf(stdio.Out, "forgotten in topic %s\n", cfg.Clicks.Topic)
	return nil
}

// forgetEverywhere asks all edges, also after one that did not answer: what the others forget today need not wait for it.
func forgetEverywhere(ctx context.Context, edges []string, token config.Secret, stdio *stdio, session string) error {
	for _, address := range edges {
		// Without a port it would be 80, and the token would go to whatever serves there.
		if _, port, err := net.SplitHostPort(address); err != nil || !isPort(port) {
			return &usageError{fmt.Sprintf("--edge %s: must be the host:port of an edge's capture.admin_listen, like edge-1:9645", schema.Quoted(address))}
		}
	}
	var failed error
	for _, address := range edges {
		err := askEdge(ctx, adminPort{"--edge", address, token}, session)
		switch {
		case err == nil:
			fmt.Fprintf(stdio.Out, "forgotten by the edge at %s\n", address)
		case ctx.Err() != nil:
			return errInterrupted
		case errors.Is(err, errNoProcess):
			failed = errors.Join(failed, fmt.Errorf("%w; clicks in its spool would undo the erasure: start it and call this again", err))
		default:
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
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
