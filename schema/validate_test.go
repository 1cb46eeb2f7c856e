package schema

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Decoders refuse most of this before they are done. validate holds for orders from anywhere.
func TestOrderValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, order(t).validate())

	amount := money(t, "1")
	for name, test := range map[string]struct {
		spoil       func(o *Order)
		field, text string
	}{
		"NoID":                {func(o *Order) { o.ID = "" }, "order_id", "is required"},
		"NoTime":              {func(o *Order) { o.ConfirmedAt = time.Time{} }, "confirmed_at", "is required"},
		"AnUnsetTime":         {func(o *Order) { o.ConfirmedAt = time.Unix(0, 0) }, "confirmed_at", `"1970-01-01T00:00:00.000Z": must not be before 2000-01-01`},
		"NoCurrency":          {func(o *Order) { o.Currency = "" }, "currency", "is required"},
		"ALowerCaseCurrency":  {func(o *Order) { o.Currency = "usd" }, "currency", "ISO 4217"},
		"ALowerCaseStatus":    {func(o *Order) { o.CustomerStatus = "new" }, "customer_status", "must be New, Return or Lapsed"},
		"NeitherItemsNorSum":  {func(o *Order) { o.Items = nil }, "items", "is required"},
		"ItemsAndSum":         {func(o *Order) { o.Amount = &amount }, "amount", "must not stand beside items"},
		"TooManyItems":        {func(o *Order) { o.Items = make([]Item, maxElements+1) }, "items", "at most 10000"},
		"NoSKU":               {func(o *Order) { o.Items[2].SKU = "" }, "items[2].sku", "is required"},
		"ANegativeQuantity":   {func(o *Order) { o.Items[1].Quantity = -1 }, "items[1].quantity", "-1: must be a whole number from 0 to 2147483647"},
		"AHugeQuantity":       {func(o *Order) { o.Items[1].Quantity = maxQuantity + 1 }, "items[1].quantity", "2147483648: must be"},
		"TooMuchDiscount":     {func(o *Order) { o.Discount = money(t, "1000") }, "discount", "must not exceed the order's 137.94"},
		"TooManyCoupons":      {func(o *Order) { o.Coupons = make([]string, maxElements+1) }, "coupons", "at most 10000"},
		"TooManyAttributes":   {func(o *Order) { o.Attributes = make([]Attribute, maxElements+1) }, "attributes", "at most 10000"},
		"AnUnnamedAttribute":  {func(o *Order) { o.Attributes[0].Name = "" }, "attributes", "empty name"},
		"ARepeatingAttribute": {func(o *Order) { o.Attributes = append(o.Attributes, Attribute{"businessunit", "x"}) }, `attributes["businessunit"]`, "repeats"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			t.Parallel()
			o := order(t)
			test.spoil(o)
			var broken *FieldError
			err := o.validate()
			require.ErrorAs(t, err, &broken)
			require.Equal(t, test.field, broken.Field)
			require.ErrorContains(t, err, test.text)
		})
	}
}
