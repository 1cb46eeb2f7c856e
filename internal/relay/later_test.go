package relay_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

// Promises of the contract that are not kept yet. Run them with -tags later.

// A graceful stop while an order at the head of its partition fails again and again: all that was acknowledged
// behind it is done, though the committed offset cannot say so.
func TestRestartBehindAFailingOrderSendsNothingTwice(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.cj.Script(script(t, "order=BAD status=503")...)
	s.confirm(t, s.order("BAD", "", carrying(clickOf("bad"))))
	s.confirm(t, s.many(100, "ORD")...)
	r := s.start(t)
	s.awaitOutcomes(t, 100)
	r.halt(t)
	s.cj.Script()
	s.start(t)
	s.awaitOutcomes(t, 101)
	b := s.audit(t)
	require.Equal(t, 101, s.cj.Summary().Acknowledged)
	b.requireAcknowledged(t, s, "BAD", clickOf("bad"), schema.ReasonCarried)
}
