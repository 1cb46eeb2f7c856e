package qa

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// backdate is how long before the sending a test order is confirmed. CJ drops orders from the future, and one
// machine's clock may be some seconds ahead of CJ's; the test click, copied by hand, is older than this.
const backdate = 5 * time.Second

// Stamp is a name for one round of test orders that no other round has, and that sorts by time.
func Stamp(at time.Time) string {
	var random [3]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	return at.UTC().Format("20060102T150405") + "-" + hex.EncodeToString(random[:])
}

// ConfirmedAt is the time that test orders of a round at this time carry.
func ConfirmedAt(at time.Time) time.Time { return at.UTC().Add(-backdate).Truncate(time.Millisecond) }

// Marked makes test orders of the scenarios: every order id gets the stamp before it, so that the order is
// recognised in CJ's reports and taken for no other one, and every order is confirmed at the time given, since
// CJ is likely to drop an order that is older than its click.
func Marked(scenarios []Scenario, stamp string, confirmedAt time.Time) []Scenario {
	marked := make([]Scenario, len(scenarios))
	for i, s := range scenarios {
		order := *s.Order
		order.ID, order.ConfirmedAt = "QA-"+stamp+"-"+order.ID, confirmedAt
		s.Order = &order
		marked[i] = s
	}
	return marked
}
