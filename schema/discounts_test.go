package schema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCheckDiscounts(t *testing.T) {
	t.Parallel()

	items := func(first, second string) string {
		return `[{"sku":"A","unit_price":"10","quantity":1,"discount":"` + first + `"},{"sku":"B","unit_price":"5","quantity":2,"discount":"` + second + `"}]`
	}

	t.Run("LetsOneItemExceedItsLine", func(t *testing.T) {
		t.Parallel()
		_, err := decodeOrder(t, withItems(items("15", "5")))
		require.NoError(t, err)
	})

	t.Run("LetsAllDiscountsTogetherReachTheWhole", func(t *testing.T) {
		t.Parallel()
		_, err := decodeOrder(t, withItems(items("2", "3"), `"discount":"15"`))
		require.NoError(t, err)
		_, err = decodeOrder(t, with(`"discount":"10.00"`))
		require.NoError(t, err)
	})

	t.Run("RefusesMoreThanTheWhole", func(t *testing.T) {
		t.Parallel()
		_, err := decodeOrder(t, withItems(items("15", "5.000000000000000001")))
		requireInvalid(t, err, ReasonInvalidOrder, "items", "have discounts of 20.000000000000000001, more than the 20.00 they cost")
		_, err = decodeOrder(t, withItems(items("2", "3"), `"discount":"15.01"`))
		requireInvalid(t, err, ReasonInvalidOrder, "discount", "15.01: with 5.00 of item discounts must not exceed the order's 20.00")
		_, err = decodeOrder(t, withItems(items("0", "0"), `"discount":"20.01"`))
		requireInvalid(t, err, ReasonInvalidOrder, "discount", "20.01: must not exceed the order's 20.00")
	})

	t.Run("CountsNothingForZeroUnits", func(t *testing.T) {
		t.Parallel()
		_, err := decodeOrder(t, withItems(`[{"sku":"A","unit_price":"10","quantity":0}]`, `"discount":"0.01"`))
		requireInvalid(t, err, ReasonInvalidOrder, "discount", "must not exceed the order's 0.00")
	})

	t.Run("StaysExactBeyond64Bits", func(t *testing.T) {
		t.Parallel()
		line := `{"sku":"A","unit_price":"999999999999999999.999999999999999999","quantity":2147483647,"discount":"999999999999999999"}`
		_, err := decodeOrder(t, withItems(`[`+line+`,`+line+`]`, `"discount":"999999999999999999"`))
		require.NoError(t, err)
	})

	t.Run("IsNotFooledByWhatOverflows64Bits", func(t *testing.T) {
		t.Parallel()
		item := func(price, discount string) string {
			return `{"sku":"A","unit_price":"` + price + `","quantity":1,"discount":"` + discount + `"}`
		}
		// In millionths these discounts add up to 2^64, which is 0.
		wrapping := strings.Repeat(item("1", "999999999999")+",", 18) + item("1", "446744073727") + "," + item("1", "0.551616")
		for name, list := range map[string]string{
			"Sum": wrapping, "OneDiscount": item("1", "18446744073710"), "ManyDecimals": item("0.0000009", "0.000005"),
		} {
			_, err := decodeOrder(t, withItems("["+list+"]"))
			require.ErrorContains(t, err, "more than the", name)
		}
	})

	t.Run("AgreesIn64BitsWithTheExactSum", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			draw := func(label string) Money {
				text := rapid.OneOf(rapid.StringMatching(`[0-9]{1,3}(\.[0-9]{1,7})?`), rapid.StringMatching(`[0-9]{1,14}(\.[0-9]{1,9})?`)).Draw(t, label)
				amount, err := ParseMoney(text)
				require.NoError(t, err)
				return amount
			}
			o := &Order{Discount: draw("discount")}
			net := Money{}
			for range rapid.IntRange(1, 4).Draw(t, "items") {
				item := Item{UnitPrice: draw("price"), Discount: draw("item discount"), Quantity: rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, maxQuantity)).Draw(t, "units")}
				o.Items = append(o.Items, item)
				net = Money{net.amount.Add(item.UnitPrice.Mul(item.Quantity).amount).Sub(item.Discount.amount)}
			}
			fits := net.amount.Sub(o.Discount.amount).Sign() >= 0
			require.Equal(t, fits, o.checkDiscounts() == nil)
			if o.discountsFitMillionths() {
				require.True(t, fits)
			}
		})
	})
}
