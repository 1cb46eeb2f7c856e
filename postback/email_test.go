package postback_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

// TestRefusesEmailAddresses puts an address, in every disguise, into every field that takes text.
func TestRefusesEmailAddresses(t *testing.T) {
	t.Parallel()
	addresses := []string{
		"jane.doe@example.com", "jane%40example.com", "jane%2540example.com", "jane%252540example.com", "jane%25%34%30example%2Ecom",
		"j@ex.co", "order-jane@example.com-77", "JANE@EXAMPLE.COM", "a@b@mail.example.org", "jane+shop@sub.example.co.uk", `"jane"@example.com`,
		"jané@exämple.de", "jane@bücher.рф", "see mailto:jane@example.com, please", "%6Aane%40%65xample.c%6Fm",
		strings.Repeat("x", 60) + "@example.com",
	}
	fields := []struct {
		field string
		set   func(o *schema.Order, text string)
	}{
		{"order_id", func(o *schema.Order, text string) { o.ID = text }},
		{"items[0].sku", func(o *schema.Order, text string) { o.Items[0].SKU = text }},
		{"coupons[1]", func(o *schema.Order, text string) {
			o.Coupons = []string{"TEN", strings.ReplaceAll(text, ",", "")}
		}},
		{"customer_status", func(o *schema.Order, text string) { o.CustomerStatus = text }},
		{"attributes.brand", func(o *schema.Order, text string) { o.Attributes = attributes("brand", text) }},
	}
	for _, address := range addresses {
		for _, field := range fields {
			t.Run(field.field+"/"+url.PathEscape(address), func(t *testing.T) {
				t.Parallel()
				order := orderOfItems(t, 1)
				field.set(order, address)
				err := refusal(t, advertiser(), order)
				require.Equal(t, field.field, err.Field)
				require.Contains(t, err.Rule, "contains an e-mail address")
				requireNoAddress(t, err)
			})
		}
	}
}

// TestNoErrorShowsAnAddress covers the fields whose own rule refuses the address first.
func TestNoErrorShowsAnAddress(t *testing.T) {
	t.Parallel()
	for field, set := range map[string]func(o *schema.Order, text string){
		"currency":         func(o *schema.Order, text string) { o.Currency = text },
		"customer_country": func(o *schema.Order, text string) { o.CustomerCountry = text },
		"action":           func(o *schema.Order, text string) { o.Action = text },
		"attributes":       func(o *schema.Order, text string) { o.Attributes = attributes(text, "x") },
		"coupons[0]":       func(o *schema.Order, text string) { o.Coupons = []string{"A," + text} },
	} {
		for _, address := range []string{"jane@example.com", "jane%40example.com", "jane%2540example.com"} {
			t.Run(field+"/"+url.PathEscape(address), func(t *testing.T) {
				t.Parallel()
				order := orderOfItems(t, 1)
				set(order, address)
				err := refusal(t, advertiser(), order)
				require.Equal(t, field, err.Field)
				requireNoAddress(t, err)
			})
		}
	}
}

func requireNoAddress(t *testing.T, err error) {
	t.Helper()
	for _, part := range []string{"jan", "@", "%40", "xample", "doe"} {
		require.NotContains(t, strings.ToLower(err.Error()), part)
	}
}

func TestPassesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"@example.com", "jane@", "jane@localhost", "2@9.99", "2@ 9.99", "5@10.00", "SAVE@STORE", "100%", "50%40", "50%4", "%", "%zz@", "a @ b.com",
		"x@.com", "a@b..com", "a@b.1c", "one@two.", "me,@example.com", "%25", "fish&chips@%20pub.com",
	} {
		t.Run(url.PathEscape(text), func(t *testing.T) {
			t.Parallel()
			order := simpleOrder(t)
			order.Attributes = attributes("description", text)
			params := build(t, advertiser(), order).Params()
			require.Equal(t, text, params[len(params)-1].Value)
		})
	}
}

// TestDeepEscapesTakeLinearTime: decoding this value pass after pass would take minutes, for one hostile order.
func TestDeepEscapesTakeLinearTime(t *testing.T) {
	t.Parallel()
	order := simpleOrder(t)
	order.Attributes = attributes("description", "jane%"+strings.Repeat("25", 400_000)+"40example.com")
	require.Contains(t, refusal(t, advertiser(), order).Rule, "e-mail")
}
