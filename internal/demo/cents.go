package demo

import (
	"fmt"

	"github.com/cjrelay/cjrelay/schema"
)

// cents is an amount in hundredths of its currency. The demo does its own arithmetic with it, so that a
// mistake in the relay's decimals shows.
type cents int64

// String writes the amount as CJ must get it: major units with two decimals.
func (c cents) String() string { return fmt.Sprintf("%d.%02d", c/100, c%100) }

// money is the amount in the form that the encoder takes.
func (c cents) money() schema.Money {
	money, err := schema.ParseMoney(c.String())
	if err != nil {
		panic(fmt.Sprintf("amount %s: %v", c, err)) // the demo's amounts are never negative
	}
	return money
}
