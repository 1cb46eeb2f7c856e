package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// previewCmd is `cjrelay preview`.
type previewCmd struct {
	File            string `arg:"" optional:"" help:"The order as canonical JSON; - or nothing for standard input." default:"-"`
	Config          string `help:"A configuration to take the account at CJ from; none is read otherwise." placeholder:"FILE"`
	CJEvent         string `name:"cjevent" help:"The click id, for an order that carries none of its own." placeholder:"ID"`
	EnterpriseID    string `help:"CJ's enterprise id (CID)." placeholder:"ID"`
	ActionTrackerID string `help:"CJ's action tracker id (TYPE), whatever the order's action is." placeholder:"ID"`
}

// Run prints the URL alone on stdout.
func (c *previewCmd) Run(ctx context.Context, stdio *stdio) error {
	cfg, err := c.account()
	if err != nil {
		return err
	}
	text, err := c.read(stdio.In)
	if err != nil {
		return err
	}
	decode, err := schema.NewOrderDecoder(schema.FormatJSON, nil, schema.MaxBytes(int(cfg.Orders.MaxOrderBytes)))
	if err != nil {
		return err
	}
	order, err := decode(ctx, text)
	if err != nil {
		return err
	}
	if order.Consent != nil && !*order.Consent {
		return errors.New("consent false: the shopper did not agree, so this order would not be sent (no_consent)")
	}
	click, err := c.click(order)
	if err != nil {
		return err
	}
	account := cfg.CJ.Advertiser()
	if c.ActionTrackerID != "" && order.Action != "" {
		account.DefaultAction, account.Actions = order.Action, map[string]string{order.Action: c.ActionTrackerID}
	}
	builder, err := postback.NewBuilder(account)
	if err != nil {
		return &usageError{err.Error()}
	}
	query, err := builder.Build(order, click, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdio.Out, query.URL(cfg.CJ.Endpoint))
	return err
}

// click is the order's own click id, or the flag's for an order that has none that is legal.
func (c *previewCmd) click(order *schema.Order) (string, error) {
	if order.CJEvent == "" {
		return c.CJEvent, nil
	}
	err := schema.ValidClickID(order.CJEvent)
	switch {
	case err == nil:
		return order.CJEvent, nil
	case c.CJEvent == "":
		return "", fmt.Errorf("%w; the relay would join the order with its session's click: give one with --cjevent", err)
	}
	return c.CJEvent, nil
}

// account is the account at CJ: the configuration's if one was named, with the flags over it.
func (c *previewCmd) account() (config.Config, error) {
	cfg, err := config.Default(), error(nil)
	if c.Config != "" {
		if cfg, err = config.Load(c.Config, os.Environ()); err != nil {
			return cfg, err
		}
	}
	if c.EnterpriseID != "" {
		cfg.CJ.EnterpriseID = c.EnterpriseID
	}
	if c.ActionTrackerID != "" {
		cfg.CJ.Actions = map[string]string{cfg.CJ.DefaultAction: c.ActionTrackerID}
	}
	switch {
	case c.Config != "":
		return cfg, cfg.Validate(config.ForPreview)
	case cfg.CJ.EnterpriseID == "" && len(cfg.CJ.Actions) == 0:
		return cfg, &usageError{"no account at CJ: give --enterprise-id and --action-tracker-id, or --config"}
	case cfg.CJ.EnterpriseID == "":
		return cfg, &usageError{"no enterprise id: give --enterprise-id, or --config with cj.enterprise_id"}
	case len(cfg.CJ.Actions) == 0:
		return cfg, &usageError{"no action tracker: give --action-tracker-id, or --config with cj.actions"}
	}
	return cfg, nil
}

func (c *previewCmd) read(stdin io.Reader) ([]byte, error) {
	if c.File == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(c.File)
}
