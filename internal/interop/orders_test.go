//go:build kafka

package interop_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// named is one line of canonical JSON.
type named struct{ name, json string }

// body is what every order below has beside its own fields.
const body = `"order_id": "ORD-1", "confirmed_at": "2026-03-27T11:02:07.123Z", "currency": "USD"`

func orderWith(name, fields string) named { return named{name, "{" + body + ", " + fields + "}"} }

// orders are orders that reach every branch of our schema, and the edges of its types.
func orders() []named {
	all := []named{
		orderWith("OnlyAnAmount", `"amount": "149.00"`),
		orderWith("OnlyItems", `"items": [{"sku": "A", "unit_price": "22.99", "quantity": 2}]`),
		orderWith("EveryFieldNull", `"amount": 10, "session_id": null, "items": null, "discount": null, "coupons": null, "customer_status": null, `+
			`"customer_country": null, "action": null, "cjevent": null, "consent": null, "attributes": null`),
		orderWith("EveryFieldSet", `"session_id": "s-81f0", "items": [{"sku": "SKU-BLK-LG", "unit_price": "22.99", "quantity": 2, "discount": "5.00"}, `+
			`{"sku": "SKU-HAT", "unit_price": "25.99", "quantity": 1, "discount": null}], "discount": "1.50", "coupons": ["TWOFIFTYOFF", "VIP"], `+
			`"customer_status": "Return", "customer_country": "US", "action": "sale", "cjevent": "b7f2a9d4c1e836b0f92d4a1c5e7b8a39", "consent": true, `+
			`"attributes": {"businessUnit": "eu", "a": "1", "zz": "x y"}`),
		orderWith("EmptyLists", `"items": [], "amount": "1.00", "coupons": [], "attributes": {}`),
		orderWith("EmptyTexts", `"amount": "1.00", "session_id": "", "cjevent": "", "action": "", "coupons": ["", "A"], "attributes": {"a": ""}`),
		orderWith("NoConsent", `"amount": "1.00", "consent": false`),
		orderWith("NotASCII", `"session_id": "s-größe-Żółć", "items": [{"sku": "帽子-🎩-e\u0301", "unit_price": "1.00", "quantity": 1}, `+
			`{"sku": "line\nbreak \"quoted\" \\ tab\t nul\u0000 \u2028\uffff", "unit_price": "2.00", "quantity": 1}], `+
			`"coupons": ["Скидка", "割引", "\ud83d\uded2"], "attributes": {"größe": "XL", "שלום": "𝔘𝔫𝔦", "😀": "🛒"}`),
		orderWith("LongTexts", `"amount": "1.00", "session_id": "`+strings.Repeat("s", 63)+`", "action": "`+strings.Repeat("a", 64)+
			`", "attributes": {"`+strings.Repeat("n", 8191)+`": "`+strings.Repeat("帽", 8192)+`"}`),
		orderWith("LargestAmount", `"amount": "99999999999999.9999"`),
		orderWith("SmallestAmount", `"amount": "0.0001"`),
		orderWith("NumbersForAmounts", `"items": [{"sku": "A", "unit_price": 2.5e1, "quantity": 1, "discount": 0.10}, {"sku": "B", "unit_price": 100, "quantity": 3}]`),
		orderWith("NegativeZero", `"items": [{"sku": "A", "unit_price": -0.00, "quantity": 1, "discount": -0.0}], "discount": -0`),
		orderWith("ZeroWithManyDigits", `"items": [{"sku": "A", "unit_price": "0.0000", "quantity": 0, "discount": "0"}], "discount": "0.000000"`),
		orderWith("LargestQuantity", `"items": [{"sku": "A", "unit_price": "0.01", "quantity": 2147483647}]`),
		{"EarliestTime", `{"order_id": "ORD-1", "confirmed_at": "2000-01-01T00:00:00Z", "currency": "EUR", "amount": "1"}`},
		{"LatestTime", `{"order_id": "ORD-1", "confirmed_at": "9999-12-31T23:59:59.999Z", "currency": "EUR", "amount": "1"}`},
		{"TimeInAZone", `{"order_id": "ORD-1", "confirmed_at": "2024-02-29T23:59:59.9+05:30", "currency": "eur", "amount": "1"}`},
		orderWith("AThousandAttributes", `"amount": "1.00", "attributes": {`+joined(1000, func(i int) string { return fmt.Sprintf(`"name-%d": "%d"`, i, i) })+`}`),
		orderWith("TenThousandCoupons", `"amount": "1.00", "coupons": [`+joined(10_000, func(i int) string { return fmt.Sprintf(`"C%d"`, i) })+`]`),
		orderWith("TenThousandItems", `"items": [`+joined(10_000, func(i int) string {
			return fmt.Sprintf(`{"sku": "S%d", "unit_price": "%d.%02d", "quantity": %d}`, i, i, i%100, i%300)
		})+`]`),
		orderWith("AmountsAtTheEdgesOfBytes", `"items": [`+strings.Join(byteEdges(), ", ")+`]`),
	}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 300 {
		all = append(all, randomOrder(random, i))
	}
	return all
}

func joined(count int, element func(i int) string) string {
	elements := make([]string, count)
	for i := range elements {
		elements[i] = element(i)
	}
	return strings.Join(elements, ", ")
}

// byteEdges are items with the amounts around which a two's complement number takes a byte more: a decoder
// that takes the first bit for a sign, or leaves out a zero byte, errs there.
func byteEdges() []string {
	var items []string
	for bits := 7; bits < 60; bits++ {
		for _, unscaled := range []int64{1<<bits - 1, 1 << bits, 1<<bits + 1} {
			items = append(items, fmt.Sprintf(`{"sku": "%d bits", "unit_price": "%d.%04d", "quantity": 1}`, bits, unscaled/10_000, unscaled%10_000))
		}
	}
	return items
}

// randomOrder is an order with any choice of the optional fields.
func randomOrder(random *rand.Rand, number int) named {
	fields := []string{fmt.Sprintf(`"order_id": "R-%d", "confirmed_at": "20%02d-%02d-%02dT%02d:%02d:%02d.%03dZ", "currency": "GBP"`, number,
		random.IntN(100), 1+random.IntN(12), 1+random.IntN(28), random.IntN(24), random.IntN(60), random.IntN(60), random.IntN(1000))}
	amount := func() string {
		return fmt.Sprintf("%d.%0*d", 1+random.Int64N(1<<random.IntN(40)), 4, random.IntN(10_000))
	}
	optional := func(field string) {
		switch random.IntN(3) {
		case 0:
			fields = append(fields, field)
		case 1:
			name, _, _ := strings.Cut(field, ":")
			fields = append(fields, name+": null")
		}
	}
	if random.IntN(4) == 0 {
		fields = append(fields, `"amount": "`+amount()+`"`)
	} else {
		fields = append(fields, `"items": [`+joined(1+random.IntN(30), func(i int) string {
			discount := [...]string{"", `, "discount": null`, `, "discount": "0.5"`, `, "discount": "0.0001"`}[random.IntN(4)]
			return fmt.Sprintf(`{"sku": "%c%d", "unit_price": "%s", "quantity": %d%s}`, runes[random.IntN(len(runes))], i, amount(), 1+random.IntN(1<<random.IntN(20)), discount)
		})+`]`)
	}
	optional(`"session_id": "` + fmt.Sprintf("%032x", random.Uint64()) + `"`)
	optional(`"discount": "0.25"`)
	optional(`"coupons": ["A", "B` + string(runes[random.IntN(len(runes))]) + `"]`)
	optional(`"customer_status": "` + [...]string{"New", "Return", "Lapsed"}[random.IntN(3)] + `"`)
	optional(`"customer_country": "DE"`)
	optional(`"action": "sale"`)
	optional(`"cjevent": "b7f2a9d4c1e836b0"`)
	optional(fmt.Sprintf(`"consent": %t`, random.IntN(2) == 0))
	optional(`"attributes": {"a": "1", "` + string(runes[random.IntN(len(runes))]) + `~": "2"}`)
	random.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return named{fmt.Sprintf("Random%d", number), "{" + strings.Join(fields, ", ") + "}"}
}

// clicks are clicks with their ids and times at the edges.
func clicks() []named {
	all := []named{
		{"Usual", `{"cjevent": "b7f2a9d4c1e836b0f92d4a1c5e7b8a39", "captured_at": "2026-03-26T09:15:00.000Z"}`},
		{"OneCharacter", `{"cjevent": "Z", "captured_at": "2000-01-01T00:00:00Z"}`},
		{"Longest", `{"cjevent": "` + strings.Repeat("aZ09", 16) + `", "captured_at": "2199-12-31T23:59:59.999Z"}`},
	}
	random := rand.New(rand.NewPCG(5, 6))
	for i := range 300 {
		all = append(all, named{fmt.Sprintf("Random%d", i), fmt.Sprintf(`{"captured_at": "20%02d-%02d-%02dT%02d:%02d:%02d.%03dZ", "cjevent": "%0*x"}`,
			random.IntN(100), 1+random.IntN(12), 1+random.IntN(28), random.IntN(24), random.IntN(60), random.IntN(60), random.IntN(1000), 1+random.IntN(48), random.Uint64())})
	}
	return all
}
