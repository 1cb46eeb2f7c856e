package schema

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseMoney(t *testing.T) {
	t.Parallel()

	t.Run("ReadsPlainDecimalsInTheOneForm", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]string{
			"22.99": "22.99", "0": "0.00", "5": "5.00", "5.0000": "5.00", "109.9550": "109.955", "1000": "1000.00",
			"007.5": "7.50", "0.05": "0.05", "00.00": "0.00", "100.10": "100.10", "0.000000000000000001": "0.000000000000000001",
			"999999999999999999":                    "999999999999999999.00",
			"999999999999999999.999999999999999999": "999999999999999999.999999999999999999",
			// Zeros at the ends are no digits of the amount.
			strings.Repeat("0", 40) + "1." + strings.Repeat("0", 40): "1.00",
		} {
			amount, err := ParseMoney(text)
			require.NoError(t, err, text)
			require.Equal(t, want, amount.String(), text)
		}
	})

	t.Run("RefusesEverythingElseAndSaysWhy", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]string{
			"": "empty", "+5": "sign", "-5": "sign", "5-": "sign", "$5": `'$'`, "5€": `'€'`, "USD 5": `'U'`,
			"1,000.00": "separator", "22,99": "separator", "1.000.00": "separator", "1'000": "separator",
			" 5": "blanks", "5 ": "blanks", "1\u00a0000": "blanks", "5\n": "blanks", "1e2": "exponent", "1E2": "exponent",
			"NaN": "no number", "nan": "no number", "Infinity": "no number", "-inf": "no number",
			".5": "digit before the point", "5.": "digit after the point", ".": "digit before the point", "..": "point",
			"1000000000000000000": "at most 18 digits", "0.0000000000000000001": "at most 18 digits",
			"０": `'０'`, "e5": `'e'`, "0x10": `'x'`,
		} {
			_, err := ParseMoney(text)
			require.ErrorContains(t, err, want, text)
		}
	})
}

func TestParseMoneyNumber(t *testing.T) {
	t.Parallel()

	t.Run("ReadsJSONLiteralsExactly", func(t *testing.T) {
		t.Parallel()
		for literal, want := range map[string]string{
			"22.99": "22.99", "1e2": "100.00", "1E+2": "100.00", "2299e-2": "22.99", "22.99e0": "22.99", "1.5e1": "15.00",
			"0e999999999999999999999": "0.00", "-0.0": "0.00", "-0": "0.00", "1e17": "100000000000000000.00",
			// No double holds this one.
			"0.1000000000000000055": "", "123456789012345678.123456789012345678": "123456789012345678.123456789012345678",
			"100000000000000000000e-3": "100000000000000000.00",
		} {
			amount, err := parseMoneyNumber([]byte(literal))
			if want == "" {
				require.ErrorIs(t, err, errMoneyDigits, literal)
				continue
			}
			require.NoError(t, err, literal)
			require.Equal(t, want, amount.String(), literal)
		}
	})

	t.Run("RefusesHugeExponentsWithoutBuildingTheNumber", func(t *testing.T) {
		t.Parallel()
		for _, literal := range []string{
			"1e18", "1e999999999", "1e-999999999", "1e-19", "1e99999999999999999999", "1e-99999999999999999999", "9e2147483647", "9e-2147483648",
		} {
			_, err := parseMoneyNumber([]byte(literal))
			require.ErrorIs(t, err, errMoneyDigits, literal)
		}
	})

	t.Run("RefusesNegativeAmounts", func(t *testing.T) {
		t.Parallel()
		_, err := parseMoneyNumber([]byte("-0.01"))
		require.EqualError(t, err, "must not be negative")
	})
}

func TestMoney(t *testing.T) {
	t.Parallel()

	t.Run("EqualAmountsAreDeeplyEqual", func(t *testing.T) {
		t.Parallel()
		number, err := parseMoneyNumber([]byte("1.5e3"))
		require.NoError(t, err)
		decimal, err := decimalMoney([]byte{0x00, 0xe4, 0xe1, 0xc0}, 4)
		require.NoError(t, err)
		for _, same := range []Money{number, decimal, money(t, "1500.000"), money(t, "750").Mul(2), money(t, "1499.5").Add(money(t, "0.5"))} {
			require.Equal(t, money(t, "1500"), same)
		}
		require.Equal(t, Money{}, money(t, "0.00"))
		require.Equal(t, Money{}, money(t, "5").Mul(0))
	})

	t.Run("ArithmeticIsExact", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			draw := func(label string) (Money, *big.Rat) {
				whole, fraction := rapid.Int64Range(0, 999_999_999_999_999_999).Draw(t, label), rapid.StringMatching(`[0-9]{1,18}`).Draw(t, label)
				text := fmt.Sprintf("%d.%s", whole, fraction)
				amount, err := ParseMoney(text)
				require.NoError(t, err)
				rat, _ := new(big.Rat).SetString(text)
				return amount, rat
			}
			a, ratA := draw("a")
			b, ratB := draw("b")
			units := rapid.Int64Range(0, maxQuantity).Draw(t, "units")
			require.Zero(t, rat(t, a.Add(b)).Cmp(new(big.Rat).Add(ratA, ratB)))
			require.Zero(t, rat(t, a.Mul(units)).Cmp(new(big.Rat).Mul(ratA, new(big.Rat).SetInt64(units))))
			require.Equal(t, ratA.Cmp(ratB), a.Cmp(b))
			require.Equal(t, ratA.Cmp(ratB) < 0, a.LessThan(b))
			require.Equal(t, ratA.Sign() == 0, a.IsZero())
		})
	})

	t.Run("ItsStringReadsBackEqual", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.StringMatching(`[0-9]{1,18}(\.[0-9]{1,18})?`).Draw(t, "text")
			amount, err := ParseMoney(text)
			require.NoError(t, err)
			require.Regexp(t, `^(0|[1-9][0-9]*)\.([0-9]{2}|[0-9]{2,17}[1-9])$`, amount.String())
			again, err := ParseMoney(amount.String())
			require.NoError(t, err)
			require.Equal(t, amount, again)
		})
	})
}

func rat(t require.TestingT, amount Money) *big.Rat {
	exact, ok := new(big.Rat).SetString(amount.String())
	require.True(t, ok)
	return exact
}
