package qa

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/postback"
)

const testSecret = "s3cr3t/with+signs="

// ownAccount has everything that an account can have.
func ownAccount() Account {
	return Account{
		Name: "Example <Shop>", Endpoint: postback.EndpointCJ,
		Advertiser: postback.Advertiser{
			EnterpriseID: "77", Actions: map[string]string{"order": "1", "signup": "2"}, DefaultAction: "order",
			Signature: testSecret, AttributeNames: map[string]string{"TravelType": "travel_type", "prequalify": "pre_qual"},
		},
	}
}

func TestEveryScenarioPasses(t *testing.T) {
	t.Parallel()
	for name, account := range map[string]Account{"SampleAccount": SampleAccount(), "OwnAccount": ownAccount()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := rehearsed(t, account, Samples(account, now))
			for i := range run.Results {
				result := &run.Results[i]
				require.Empty(t, result.Failures, result.Name)
				require.Equal(t, 200, result.Rehearsal.Status)
				require.NotEmpty(t, result.Parameters)
				for _, p := range result.Parameters {
					require.True(t, p.OK, p.Name)
					require.NotEmpty(t, p.From, p.Name)
					require.NotEmpty(t, p.Rule.Text, p.Name)
					require.NotEmpty(t, p.Rule.Evidence, p.Name)
				}
				total := result.Figures[len(result.Figures)-1]
				require.Equal(t, amountText(result.Expected.Total), total.Got)
			}
			summary := run.Summary()
			require.True(t, summary.Passed)
			require.Empty(t, summary.NotCovered)
			require.Len(t, summary.Scenarios, len(Cases))
		})
	}
}

func TestARunAsksForAUsableSetup(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Setup){
		"ClickID":  func(s *Setup) { s.ClickID = "not-legal" },
		"Account":  func(s *Setup) { s.Account.EnterpriseID = "abc" },
		"Endpoint": func(s *Setup) { s.Account.Endpoint = "http://example.com/u" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setup := setupOf(SampleAccount())
			spoil(&setup)
			_, err := New(setup, nil)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "not-legal")
		})
	}
}

func TestARehearsalEndsWithItsContext(t *testing.T) {
	t.Parallel()
	run, err := New(setupOf(SampleAccount()), Samples(SampleAccount(), now))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, run.Rehearse(ctx), "interrupted")
	require.Empty(t, run.Results)
}

// live is a rehearsed run of marked orders against an endpoint of the test.
func live(t *testing.T, options ...cjtest.Option) (*Run, *cjtest.Server) {
	t.Helper()
	cj, err := cjtest.Start(options...)
	require.NoError(t, err)
	t.Cleanup(cj.Close)
	account := SampleAccount()
	account.Endpoint, account.Sample = cj.Endpoint(), false
	setup := setupOf(account)
	setup.Stamp = Stamp(now)
	run, err := New(setup, Marked(Samples(account, now), setup.Stamp, ConfirmedAt(now)))
	require.NoError(t, err)
	require.NoError(t, run.Rehearse(t.Context()))
	require.Zero(t, cj.Count(), "a rehearsal sends nothing to the endpoint")
	return run, cj
}

func TestALiveRunSendsEveryOrderOnceWithTheTestClick(t *testing.T) {
	t.Parallel()
	run, cj := live(t)
	require.NoError(t, run.Send(t.Context()))
	require.Equal(t, len(run.Results), run.Passed())
	received := cj.Received()
	require.Len(t, received, len(run.Results))
	for i, r := range received {
		require.Equal(t, cjtest.Valid, r.Verdict)
		require.Equal(t, "QA-"+run.Stamp+"-"+run.Results[i].Name, r.OrderID)
		require.Equal(t, testClick, r.ClickID)
		require.Equal(t, "2026-03-27T11:59:55.000Z", r.Params().Get("EVENTTIME"))
		require.Equal(t, run.Account.Endpoint+"?"+r.Query, run.Results[i].URL, "the report shows what was sent")
	}
	require.NotEqual(t, Stamp(now), Stamp(now), "no two rounds have the same order ids")
}

func TestAnEndpointThatDoesNotTakeAnOrderFailsItsScenario(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"Fails": "next=1 status=500", "Rejects": "next=1 status=400", "Redirects": "next=1 redirect=http://127.0.0.1:1/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules, err := cjtest.ParseScript(script)
			require.NoError(t, err)
			run, cj := live(t, cjtest.WithScript(rules...))
			require.NoError(t, run.Send(t.Context()))
			require.Equal(t, len(run.Results)-1, run.Passed())
			require.Contains(t, run.Results[0].Failures[0], "the endpoint did not take it")
			require.Equal(t, len(run.Results), cj.Count(), "one attempt each, and the others go on")
			require.Equal(t, []Case{RetailPlain}, run.Summary().NotCovered)
		})
	}
}

func TestALiveRunThatIsInterruptedSaysWhatWasNotSent(t *testing.T) {
	t.Parallel()
	run, cj := live(t)
	ctx, cancel := context.WithCancel(t.Context())
	send := run.send
	run.send = func(ctx context.Context, client *postback.Client, q postback.Query) postback.Answer {
		answer := send(ctx, client, q)
		cancel()
		return answer
	}
	require.ErrorContains(t, run.Send(ctx), "interrupted")
	require.Equal(t, 1, run.Passed())
	require.Equal(t, 1, cj.Count())
	require.Equal(t, []string{"not sent: interrupted"}, run.Results[1].Failures)
	html, _ := bothReports(t, run)
	require.Contains(t, html, "not sent")
}
