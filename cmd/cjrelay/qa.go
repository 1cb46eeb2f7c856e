package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/qa"
	"github.com/cjrelay/cjrelay/internal/version"
	"github.com/cjrelay/cjrelay/schema"
)

// qaCmd is `cjrelay qa`.
type qaCmd struct {
	Orders     []string `arg:"" optional:"" help:"Files with own orders in canonical JSON: one order, an array, or one after the other. Sample orders without any."`
	Config     string   `help:"A configuration to take the account at CJ from. Without it the account is made up." placeholder:"FILE"`
	Out        string   `default:"qa-report" help:"The directory for the reports; qa-report without it." placeholder:"DIR"`
	Scenarios  []string `help:"Only these sample orders: retail, travel, finance, lead, or a single one like retail-no-discount." placeholder:"NAME"`
	Advertiser string   `help:"The advertiser's name, for the report." placeholder:"NAME"`
	Live       bool     `help:"After a rehearsal that passed, send the orders to cj.endpoint, once each and marked as tests."`
	CJEvent    string   `name:"cjevent" help:"The test click id: place a test order from a test link in CJ's account manager and take it from the address." placeholder:"ID"`
	Yes        bool     `help:"Do not ask before --live sends."`
	Output     string   `short:"o" enum:"text,json" default:"text" help:"Form of the result: text or json."`
}

// Run plays the scenarios, writes the reports and says how it went.
func (c *qaCmd) Run(ctx context.Context, stdio *stdio) error {
	cfg, account, err := c.account()
	if err != nil {
		return err
	}
	if err := c.check(account, canAsk(stdio.In)); err != nil {
		return err
	}
	setup := qa.Setup{Account: account, ClickID: c.CJEvent, Timeout: cfg.CJ.Timeout, Version: version.String(), Clock: time.Now}
	if setup.ClickID == "" {
		setup.ClickID = qa.SampleClickID
	}
	confirmed := qa.ConfirmedAt(time.Now())
	scenarios, err := c.scenarios(ctx, cfg, account, confirmed)
	if err != nil {
		return err
	}
	if c.Live {
		setup.Stamp = qa.Stamp(time.Now())
		scenarios = qa.Marked(scenarios, setup.Stamp, confirmed)
	}
	run, err := qa.New(setup, scenarios)
	if err != nil {
		return &usageError{err.Error()}
	}
	if err := run.Rehearse(ctx); err != nil {
		return err
	}
	sends := c.Live && run.Passed() == len(run.Results)
	if sends {
		if err := c.confirm(ctx, stdio, account, len(scenarios)); err != nil {
			return err
		}
	}
	// The files come first: orders that were sent without a report would have to be sent again.
	files, err := createReports(c.Out, setup.Stamp)
	if err != nil {
		return err
	}
	var interrupted error
	if sends {
		interrupted = run.Send(ctx)
	}
	if err := files.write(run); err != nil {
		return err
	}
	if err := c.print(stdio, run, files); err != nil {
		return err
	}
	if failed := len(run.Results) - run.Passed(); failed > 0 && interrupted == nil {
		return fmt.Errorf("%d of %d scenarios failed", failed, len(run.Results))
	}
	return interrupted
}

// account is the configuration's account at CJ, or a made-up one.
func (c *qaCmd) account() (config.Config, qa.Account, error) {
	cfg, account := config.Default(), qa.SampleAccount()
	if c.Config != "" {
		var err error
		if cfg, err = config.Load(c.Config, os.Environ()); err != nil {
			return cfg, account, err
		}
		if err := cfg.Validate(config.ForPreview); err != nil {
			return cfg, account, err
		}
		account = qa.Account{Endpoint: cfg.CJ.Endpoint, Advertiser: cfg.CJ.Advertiser()}
	}
	account.Name = c.Advertiser
	return cfg, account, nil
}

// check refuses flags that do not go together. A live test never uses a click id that CJ did not issue: CJ would
// answer 200 and show nothing.
func (c *qaCmd) check(account qa.Account, canAsk bool) error {
	switch {
	case c.CJEvent != "" && schema.ValidClickID(c.CJEvent) != nil:
		return &usageError{"--cjevent: " + schema.ValidClickID(c.CJEvent).Error()}
	case c.Live && c.Config == "":
		return &usageError{"--live needs --config: orders of a made-up account are not sent anywhere"}
	case c.Live && c.CJEvent == "" && !onThisMachine(account.Endpoint):
		return &usageError{"--live needs --cjevent: CJ shows no order without a test click. Place a test order from a test link " +
			"(CJ Account Manager, Account, Tag Testing) and take cjevent from the address that opens"}
	case c.Live && !c.Yes && !canAsk:
		return &usageError{"--live asks before it sends, and there is no terminal: add --yes"}
	case c.Yes && !c.Live:
		return &usageError{"--yes belongs to --live; nothing else asks"}
	case len(c.Scenarios) > 0 && len(c.Orders) > 0:
		return &usageError{"--scenarios chooses from the sample orders; leave it out where own orders are given"}
	}
	return nil
}

// onThisMachine reports whether an endpoint is on the loopback: a fake CJ.
func onThisMachine(endpoint string) bool {
	parsed, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(parsed.Hostname())
	return strings.EqualFold(parsed.Hostname(), "localhost") || err == nil && address.IsLoopback()
}

func (c *qaCmd) scenarios(ctx context.Context, cfg config.Config, account qa.Account, confirmed time.Time) ([]qa.Scenario, error) {
	if len(c.Orders) > 0 {
		orders, err := c.ownOrders(ctx, cfg)
		return qa.Own(account, orders), err
	}
	chosen, known := map[string]bool{}, []string{}
	for _, info := range qa.Cases {
		for _, name := range []string{info.Vertical, string(info.Case)} {
			if !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	for _, name := range c.Scenarios {
		if !slices.Contains(known, name) {
			return nil, &usageError{fmt.Sprintf("--scenarios %s: is none of %s", schema.Quoted(name), strings.Join(known, ", "))}
		}
		chosen[name] = true
	}
	return slices.DeleteFunc(qa.Samples(account, confirmed), func(s qa.Scenario) bool {
		return len(chosen) > 0 && !chosen[s.Name] && !chosen[s.Case.Info().Vertical]
	}), nil
}

func (c *qaCmd) ownOrders(ctx context.Context, cfg config.Config) ([]*schema.Order, error) {
	decode, err := schema.NewOrderDecoder(schema.FormatJSON, nil, schema.MaxBytes(int(cfg.Orders.MaxOrderBytes)))
	if err != nil {
		return nil, err
	}
	var all []*schema.Order
	for _, name := range c.Orders {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		orders, err := qa.ReadOrders(ctx, name, text, decode)
		if err != nil {
			return nil, err
		}
		if all = append(all, orders...); len(all) > qa.OrdersMax {
			return nil, qa.ErrTooMany
		}
	}
	return all, nil
}

// print writes the result on stdout.
func (c *qaCmd) print(stdio *stdio, run *qa.Run, files *reports) error {
	summary := run.Summary()
	summary.HTML, summary.Markdown = files.html.Name(), files.markdown.Name()
	if c.Output == "json" {
		return json.NewEncoder(stdio.Out).Encode(summary)
	}
	return writeQA(stdio.Out, summary)
}
