package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// An order whose shop's clock is ahead waits for its time when it is replayed, so it counts as one to be sent.
func TestAnOrderOfAMomentFromNowIsOneToSend(t *testing.T) {
	t.Parallel()
	builder, err := postback.NewBuilder(postback.Advertiser{EnterpriseID: "7", Actions: map[string]string{"sale": "1"}, DefaultAction: "sale"})
	require.NoError(t, err)
	j := &judge{parts: &relay.Parts{Builder: builder}, tolerance: 15 * time.Minute}
	now := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	amount, err := schema.ParseMoney("22.99")
	require.NoError(t, err)
	for name, test := range map[string]struct {
		ahead  time.Duration
		kind   schema.Kind
		reason schema.Reason
	}{
		"Now":               {0, schema.Acknowledged, schema.ReasonCarried},
		"InAMoment":         {5 * time.Minute, schema.Acknowledged, schema.ReasonCarried},
		"AsLateAsMayBe":     {15 * time.Minute, schema.Acknowledged, schema.ReasonCarried},
		"AMillisecondLater": {15*time.Minute + time.Millisecond, schema.DeadLetter, schema.ReasonFuture},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order := &schema.Order{ID: "ORD-1", ConfirmedAt: now.Add(test.ahead), Currency: "USD", Amount: &amount, CJEvent: "click1"}
			v, err := j.judge(reading{order: order}, 0, now)
			require.NoError(t, err)
			require.Equal(t, test.kind, v.kind)
			require.Equal(t, test.reason, v.reason)
			require.Equal(t, test.kind == schema.Acknowledged, v.query != "")
		})
	}
}
