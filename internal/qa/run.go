package qa

import (
	"context"
	"fmt"
	"time"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// Setup is what a run is made with.
type Setup struct {
	Account Account
	// ClickID is the test click that every order goes out with: 1 to 64 letters and digits.
	ClickID string
	// Stamp is the stamp of Marked scenarios, empty where they are not marked.
	Stamp string
	// Timeout bounds one request. Zero means postback's default.
	Timeout time.Duration
	// Version is the sender's, for the report and the requests.
	Version string
	// Clock tells the time of day. Required.
	Clock func() time.Time
}

// Run is one round of scenarios. Rehearse it, then, if it passed, send it; then write its report. Not for
// concurrent use.
type Run struct {
	Setup
	Started time.Time
	// Results are by scenario, in the order given.
	Results []Result
	// Live says that Send was called.
	Live bool

	scenarios []Scenario
	build     func(o *schema.Order, clickID string, now time.Time) (postback.Query, error)
	send      func(ctx context.Context, client *postback.Client, q postback.Query) postback.Answer
}

// Result is what became of one scenario.
type Result struct {
	Scenario
	// URL is the whole request as it goes to the account's endpoint, but for the signature. Empty where none
	// could be built.
	URL string
	// Figures are the totals, Parameters the parameters as the fake CJ understood them.
	Figures    []Figure
	Parameters []Parameter
	// Rehearsal is the fake CJ's answer, Live the endpoint's; nil where the order was not sent.
	Rehearsal, Live *Answer
	// Failures says in plain words what is not as it must be. None means passed.
	Failures []string

	query postback.Query
}

// Passed reports whether nothing failed.
func (r *Result) Passed() bool { return len(r.Failures) == 0 }

// Answer is what an endpoint answered.
type Answer struct {
	// Status is the HTTP status, 0 if there was none.
	Status int
	// Class is what it means.
	Class postback.Class
	// Err says why the order is not acknowledged, empty if it is.
	Err string
	// Latency is the time to the status line.
	Latency time.Duration
}

// New checks the account and prepares a run. The error is a *schema.FieldError about the account or the click id.
func New(setup Setup, scenarios []Scenario) (*Run, error) {
	if err := schema.ValidClickID(setup.ClickID); err != nil {
		return nil, err
	}
	builder, err := postback.NewBuilder(setup.Account.Advertiser)
	if err != nil {
		return nil, err
	}
	if _, err := postback.NewClient(postback.ClientConfig{Endpoint: setup.Account.Endpoint}); err != nil {
		return nil, err
	}
	return &Run{
		Setup: setup, Started: setup.Clock().UTC(), scenarios: scenarios, build: builder.Build,
		send: func(ctx context.Context, client *postback.Client, q postback.Query) postback.Answer {
			return client.Send(ctx, q)
		},
	}, nil
}

// Rehearse sends every order to a strict fake CJ inside this process and compares what it understood. Failures
// of scenarios are in the results; the error says why nothing could be tried, or that ctx ended.
func (r *Run) Rehearse(ctx context.Context) error {
	fake, err := cjtest.Start(cjtest.WithClock(r.Clock))
	if err != nil {
		return err
	}
	defer fake.Close()
	client, err := r.client(fake.Endpoint())
	if err != nil {
		return err
	}
	defer client.Close()
	r.Results = make([]Result, 0, len(r.scenarios))
	for _, scenario := range r.scenarios {
		result := Result{Scenario: scenario}
		r.rehearse(ctx, &result, fake, client)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w", ctx.Err())
		}
		r.Results = append(r.Results, result)
	}
	return nil
}

func (r *Run) rehearse(ctx context.Context, result *Result, fake *cjtest.Server, client *postback.Client) {
	var received *cjtest.Received
	if err := r.prepare(result); err != nil {
		result.Failures = append(result.Failures, "no postback: "+err.Error())
	} else {
		before := fake.Count()
		result.Rehearsal = answerOf(r.send(ctx, client, result.query))
		if all := fake.Received(); len(all) > before {
			received = &all[before]
		}
	}
	result.Parameters = compare(wantedOf(r.Account, &result.Scenario, r.ClickID), received)
	result.Figures = figures(&result.Scenario, received)
	if result.Rehearsal != nil {
		result.judge(received)
	}
}

// prepare builds the order's postback.
func (r *Run) prepare(result *Result) (err error) {
	if consent := result.Order.Consent; consent != nil && !*consent {
		return fmt.Errorf("consent false: the shopper did not agree, so this order is never sent (%s)", schema.ReasonNoConsent)
	}
	if result.query, err = r.build(result.Order, r.ClickID, r.Clock()); err == nil {
		result.URL = shownURL(r.Account.Endpoint, result.query)
	}
	return err
}

// Send sends every order to the account's endpoint, one attempt each, in their order. It is for a run that was
// rehearsed and passed: an order that is wrong cannot be taken back. The error is for an endpoint that cannot be
// used and for a ctx that ended; a scenario that was not reached has no Live answer and failed.
func (r *Run) Send(ctx context.Context) error {
	client, err := r.client(r.Account.Endpoint)
	if err != nil {
		return err
	}
	defer client.Close()
	r.Live = true
	for i := range r.Results {
		result := &r.Results[i]
		if ctx.Err() != nil {
			result.Failures = append(result.Failures, "not sent: interrupted")
			continue
		}
		result.Live = answerOf(r.send(ctx, client, result.query))
		if result.Live.Class != postback.Acknowledged {
			result.Failures = append(result.Failures, "the endpoint did not take it: "+result.Live.Err)
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	return nil
}

func (r *Run) client(endpoint string) (*postback.Client, error) {
	return postback.NewClient(postback.ClientConfig{Endpoint: endpoint, Timeout: r.Timeout, Concurrency: 1, UserAgent: "cjrelay/" + r.Version})
}

// Passed counts the scenarios that passed.
func (r *Run) Passed() int {
	passed := 0
	for i := range r.Results {
		if r.Results[i].Passed() {
			passed++
		}
	}
	return passed
}

func answerOf(answer postback.Answer) *Answer {
	a := &Answer{Status: answer.Status, Class: answer.Class, Latency: answer.Latency}
	if answer.Err != nil {
		a.Err = answer.Err.Error()
	}
	return a
}
