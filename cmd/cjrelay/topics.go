package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/internal/topics"
)

// topicsCmd is `cjrelay topics`.
type topicsCmd struct {
	configFlag
	Check       bool   `help:"Only check; make nothing."`
	Partitions  int32  `help:"Partitions of topics that are made." default:"12"`
	Replication int16  `help:"Replicas of topics that are made; -1 for the cluster's default." default:"-1"`
	Output      string `short:"o" help:"Form of the answer: text or json." enum:"text,json" default:"text"`
}

// These make the exit code say that something is left to do, and what.
var (
	errMissing = errors.New("some topics are missing: make them with `cjrelay topics`")
	errWrong   = errors.New("some topics are not set up as they should be: change them with Kafka's own kafka-configs.sh, cjrelay never changes a topic that exists")
)

// Run makes what is missing and prints how every topic stands.
func (c *topicsCmd) Run(ctx context.Context, stdio *stdio) error {
	cfg, err := c.load(config.ForTopics)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(relay.Kafka(cfg.Kafka), kgo.RetryTimeout(15*time.Second))...)
	if err != nil {
		return err
	}
	defer client.Close()
	admin, names := kadm.NewClient(client), relay.Names(cfg)
	var findings []topics.Finding
	if c.Check {
		findings, err = topics.Check(ctx, admin, names)
	} else {
		findings, err = topics.Create(ctx, admin, names, c.Partitions, c.Replication)
	}
	if err != nil {
		return fmt.Errorf("kafka at %v: %w", cfg.Kafka.Brokers, err)
	}
	if err := printFindings(stdio.Out, c.Output, findings); err != nil {
		return err
	}
	var left error
	for _, f := range findings {
		switch f.Status {
		case topics.Missing:
			return errMissing
		case topics.Wrong:
			left = errWrong
		}
	}
	return left
}

func printFindings(out io.Writer, form string, findings []topics.Finding) error {
	if form == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(findings)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tSETTING\tSTATUS\tWANT\tHAVE")
	for _, f := range findings {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.Topic, f.Setting, f.Status, f.Want, f.Have)
		if f.Why != "" {
			fmt.Fprintf(table, "\t\t\t%s\t\n", f.Why)
		}
	}
	return table.Flush()
}
