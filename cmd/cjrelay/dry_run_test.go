package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/dryrun"
)

// dryRun calls the verb and returns its checks by name, several of one name as the worst of them.
func (m *merchant) dryRun(t *testing.T, code int) map[string]dryrun.Check {
	t.Helper()
	var checks []dryrun.Check
	require.NoError(t, json.Unmarshal([]byte(m.verb(t, code, "dry-run", "-o", "json").out), &checks))
	worse := map[dryrun.Status]int{dryrun.OK: 0, dryrun.Warning: 1, dryrun.Failure: 2}
	byName := map[string]dryrun.Check{}
	for _, check := range checks {
		if before, is := byName[check.Name]; !is || worse[check.Status] > worse[before.Status] {
			byName[check.Name] = check
		}
	}
	return byName
}

// edit replaces text in the configuration.
func (m *merchant) edit(t *testing.T, old, with string) {
	t.Helper()
	text, err := os.ReadFile(m.file)
	require.NoError(t, err)
	require.Contains(t, string(text), old)
	require.NoError(t, os.WriteFile(m.file, []byte(strings.Replace(string(text), old, with, 1)), 0o600))
}

func TestDryRunTellsHowARunWouldBegin(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 2)
	empty := m.dryRun(t, exitDone)
	require.Equal(t, dryrun.Warning, empty["orders"].Status)
	require.Contains(t, empty["orders"].Text, "whether they can be read is not known")

	m.click(t, "click1")
	m.kafka.Produce(t, &kgo.Record{Topic: m.clicks, Key: []byte("erased")})
	m.confirm(t, 0, m.order("ORD-1", "click1"), m.order("ORD-2", "never"))
	now := m.dryRun(t, exitDone)
	require.Contains(t, now["kafka"].Text, m.kafka.Brokers[0])
	require.Contains(t, now["group"].Text, "begins with the earliest of "+m.orders+": 2 offsets to read")
	require.Contains(t, now["orders"].Text, "all of the latest 2 records")
	require.Contains(t, now["clicks"].Text, "all of the latest 1 records")
	require.Equal(t, dryrun.OK, now["cj"].Status)
	require.Equal(t, dryrun.Warning, now["topics"].Status, "the test's topics are not what `cjrelay topics` makes")

	m.done(t, 2)
	m.confirm(t, 1, m.order("ORD-3", "click1"))
	require.Contains(t, m.dryRun(t, exitDone)["group"].Text, "goes on where it stands, with 1 offsets")
	_, err := m.kafka.Admin.CreatePartitions(t.Context(), 1, m.orders)
	require.NoError(t, err)
	m.confirm(t, 2, m.order("ORD-4", "never"))
	require.Contains(t, m.dryRun(t, exitDone)["group"].Text, "with 2 offsets", "nobody has committed anything of the partition that was added")
	require.Len(t, m.cj.ReceivedOf("ORD-1"), 1)
	require.Empty(t, m.cj.ReceivedOf("ORD-3"), "a dry run sends nothing")

	m.confirm(t, 0, "{", strings.Replace(m.order("ORD-5", "click1"), "{", `{"attributes":{"CID":"1"},`, 1))
	some := m.dryRun(t, exitDone)["orders"]
	require.Equal(t, dryrun.Warning, some.Status, "one that cannot be sent is not the set-up's fault")
	require.Contains(t, some.Text, "3 of the latest 5 records of "+m.orders+" can be sent; partition 0, offset 2: ")
}

// Half of the checks, all of them good, must not look like all.
func TestDryRunThatIsInterruptedSaysSo(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(newMerchant(t, 1).file, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.EqualError(t, dryrun.Run(ctx, cfg, func(dryrun.Check) { cancel() }), "interrupted")
}

func TestDryRunNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set   func(*testing.T, *merchant)
		check string
		says  string
	}{
		"NobodyAtCJ": {func(t *testing.T, m *merchant) { m.edit(t, m.cj.Endpoint(), "http://127.0.0.1:1/u") }, "cj", "refused"},
		"ACertificateThatNobodyTrusts": {func(t *testing.T, m *merchant) {
			other := httptest.NewTLSServer(nil)
			t.Cleanup(other.Close)
			m.edit(t, m.cj.Endpoint(), other.URL+"/u")
		}, "cj", "TLS fails"},
		"NobodyAtKafka": {func(t *testing.T, m *merchant) { m.edit(t, m.kafka.Brokers[0], "127.0.0.1:1") }, "kafka", "no answer from [127.0.0.1:1]"},
		"ATopicIsMissing": {func(t *testing.T, m *merchant) {
			m.edit(t, "outcomes: {topic: "+m.results, "outcomes: {topic: nowhere")
		}, "topics", "nowhere does not exist: make it with `cjrelay topics`"},
		"TheClicksAreNotCompacted": {func(t *testing.T, m *merchant) {
			m.edit(t, "topic: "+m.clicks, "topic: "+m.kafka.Topic(t, "plain", 1, nil))
		}, "topics", "is not compacted"},
		"OrdersInAnotherForm": {func(t *testing.T, m *merchant) { m.confirm(t, 0, "\x00\x00\x00\x00\x01abc") }, "orders", "none of the latest 1 records"},
		"AStartIsNotSaid": {func(t *testing.T, m *merchant) {
			m.edit(t, ", start: earliest", "")
			m.confirm(t, 0, m.order("ORD-1", "click1"))
		}, "group", "say in orders.start where to begin"},
		"NobodyAtTheRegistry": {func(t *testing.T, m *merchant) {
			m.edit(t, "format: string", "format: avro")
			m.edit(t, "delivery:", "registry: {url: 'http://127.0.0.1:1', timeout: 1s}\ndelivery:")
		}, "registry", "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t, 1)
			test.set(t, m)
			found := m.dryRun(t, exitFailed)[test.check]
			require.Equal(t, dryrun.Failure, found.Status, found)
			require.Contains(t, found.Text, test.says)
		})
	}
}
