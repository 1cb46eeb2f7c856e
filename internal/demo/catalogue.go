package demo

import (
	"fmt"
	"math/rand/v2"

	"github.com/cjrelay/cjrelay/schema"
)

var (
	articles   = []string{"TEE", "HOODIE", "JEANS", "SNEAKER", "BOOT", "SCARF", "BACKPACK", "WATCH", "LAMP", "KETTLE", "HEADPHONES", "NOVEL"}
	colours    = []string{"BLK", "WHT", "NVY", "RED", "OLV"}
	sizes      = []string{"S", "M", "L", "XL", "ONE"}
	endings    = []cents{99, 95, 50, 0}
	currencies = []string{"USD", "USD", "USD", "EUR", "EUR", "GBP", "SEK", "JPY", "usd"}
	countries  = []string{"US", "US", "DE", "FR", "GB", "SE", "JP", "us", ""}
	statuses   = []string{"New", "Return", "Lapsed", "new", "RETURN", ""}
	codes      = []string{"WELCOME10", "SUMMER 20", "FREESHIP", "GRÜN-5", "VIP_25%"}
	attributes = []schema.Attribute{
		{Name: "businessUnit", Value: "eu"}, {Name: "loyaltyTier", Value: "gold & more"}, {Name: "paymentMethod", Value: "invoice"},
	}
)

func oneOf[T any](random *rand.Rand, choices []T) T { return choices[random.IntN(len(choices))] }

// chance is true in so many of a hundred cases.
func chance(random *rand.Rand, percent int) bool { return random.IntN(100) < percent }

// fill puts a realistic order together: one to five lines or, now and then, only an amount.
func (b *basket) fill(random *rand.Rand) {
	b.currency = oneOf(random, currencies)
	b.country = oneOf(random, countries)
	b.status = oneOf(random, statuses)
	if chance(random, 10) {
		amount := b.price(random, 40)
		b.amount = &amount
		if chance(random, 30) {
			b.action = "lead"
		}
	} else {
		for range 1 + random.IntN(5) {
			b.lines = append(b.lines, b.line(random))
		}
	}
	if chance(random, 25) {
		b.discount = b.share(random, b.total())
		b.coupons = append(b.coupons, oneOf(random, codes))
		if chance(random, 20) {
			b.coupons = append(b.coupons, "FRIEND-"+fmt.Sprint(random.IntN(100)))
		}
	}
	if b.action == "" && chance(random, 50) {
		b.action = defaultAction
	}
	if chance(random, 30) {
		b.attribute = oneOf(random, attributes)
	}
	if chance(random, 30) {
		agreed := true
		b.consent = &agreed
	}
}

func (b *basket) line(random *rand.Rand) line {
	l := line{
		sku:      oneOf(random, articles) + "-" + oneOf(random, colours) + "-" + oneOf(random, sizes),
		price:    b.price(random, 150),
		quantity: 1,
	}
	if chance(random, 30) {
		l.quantity += int64(random.IntN(4))
	}
	if chance(random, 20) {
		l.discount = b.share(random, l.price*cents(l.quantity))
	}
	return l
}

// price is some whole units below a limit, with an ending that shops like. The yen has no hundredths.
func (b *basket) price(random *rand.Rand, below int) cents {
	price := cents(3+random.IntN(below)) * 100
	if b.currency == "JPY" {
		return price * 100
	}
	return price + oneOf(random, endings)
}

// share is 1 to 40 % of an amount, rounded down to what the currency has.
func (b *basket) share(random *rand.Rand, of cents) cents {
	share := of * cents(1+random.IntN(40)) / 100
	if b.currency == "JPY" {
		share -= share % 100
	}
	return share
}
