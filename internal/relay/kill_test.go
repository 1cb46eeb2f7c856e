package relay_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// isChild marks a process of this test program that is a relay and nothing else.
const isChild = "RELAY_TEST_CHILD"

// runChild is a relay in a process of its own, configured by the environment, until it is killed.
func runChild() int {
	cfg, err := config.Load("", os.Environ())
	if err == nil {
		err = cfg.Validate(config.ForRun)
	}
	var child *relay.Relay
	if err == nil {
		child, err = relay.New(cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	if err == nil {
		err = child.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, "the relay ended by itself:", err)
	return 1
}

// spawn starts a relay in a process of its own and returns how to kill it, at once and for good.
func (s *shop) spawn(t *testing.T) (kill func()) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	child := exec.CommandContext(t.Context(), program)
	log := &logText{}
	child.Stderr = log
	cfg := s.config
	child.Env = append(os.Environ(), isChild+"=1")
	for key, value := range map[string]any{
		"KAFKA__BROKERS": strings.Join(cfg.Kafka.Brokers, ","), "KAFKA__SESSION_TIMEOUT": cfg.Kafka.SessionTimeout,
		"ORDERS__TOPIC": cfg.Orders.Topic, "ORDERS__GROUP": cfg.Orders.Group, "ORDERS__FORMAT": cfg.Orders.Format, "ORDERS__START": cfg.Orders.Start,
		"CLICKS__TOPIC": cfg.Clicks.Topic, "CLICKS__FORMAT": cfg.Clicks.Format, "CLICKS__DIR": t.TempDir(),
		"DEAD_LETTER__TOPIC": cfg.DeadLetter.Topic, "OUTCOMES__TOPIC": cfg.Outcomes.Topic,
		"CJ__ENDPOINT": cfg.CJ.Endpoint, "CJ__ENTERPRISE_ID": cfg.CJ.EnterpriseID, "CJ__ACTIONS__SALE": cfg.CJ.Actions["sale"],
		"DELIVERY__CONCURRENCY": cfg.Delivery.Concurrency, "DELIVERY__COMMIT_INTERVAL": cfg.Delivery.CommitInterval,
	} {
		child.Env = append(child.Env, fmt.Sprintf("CJRELAY_%s=%v", key, value))
	}
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the relay that was killed:\n%s", log.String())
		}
	})
	return func() {
		t.Helper()
		require.NoError(t, child.Process.Kill(), "the relay ended by itself")
		_ = child.Wait()
	}
}

// A process that is killed outright loses no order. What it had sent and not committed is sent again, in the
// same words, so that CJ knows it for the same.
func TestKilledRelayLosesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, 4)
	s.crashed = true
	s.config.Kafka.SessionTimeout = 6 * time.Second
	s.config.Delivery.Concurrency = 8
	s.cj.Script(cjtest.Rule{Latency: cjtest.Between(0, 20*time.Millisecond)})
	const orders = 800
	var visits []visit
	var confirmed []*schema.Order
	for i := range orders {
		session := fmt.Sprintf("s-%d", i)
		visits = append(visits, s.hourAgo(session))
		confirmed = append(confirmed, s.order(fmt.Sprintf("ORD-%d", i), session))
	}
	s.visited(t, visits...)
	s.confirm(t, confirmed...)
	for _, sent := range []int{100, 350} {
		kill := s.spawn(t)
		s.awaitRequests(t, sent)
		kill()
		require.Less(t, s.cj.Summary().Acknowledged, orders, "the kill came too late to test anything")
	}
	r := s.start(t)
	s.await(t, "every order is acknowledged", func() bool { return s.cj.Summary().Acknowledged == orders })
	s.await(t, "no order is pending", func() bool { return r.metric(t, "cjrelay_pending_orders") == 0 })
	b := s.audit(t)
	for _, o := range confirmed {
		b.requireAcknowledged(t, s, o.ID, clickOf(o.SessionID), schema.ReasonJoined)
		for _, request := range s.cj.ReceivedOf(o.ID) {
			require.Equal(t, s.cj.ReceivedOf(o.ID)[0].Query, request.Query)
		}
	}
	require.Empty(t, b.letters)
}
