package qa

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSamplesHaveEveryCaseOnce(t *testing.T) {
	t.Parallel()
	require.Len(t, samples, len(Cases))
	for i, info := range Cases {
		require.Equal(t, info.Case, samples[i].Case)
		require.NotEmpty(t, info.Wants)
	}
}

func TestSamplesAreWhatTheyAreCalled(t *testing.T) {
	t.Parallel()
	account := SampleAccount()
	for _, s := range Samples(account, now) {
		covered, why := caseOf(account, s.Order)
		require.Equal(t, s.Case, covered, why)
	}
}

// Two ways to the same totals: by hand, beside the sample, and from the order.
func TestSamplesAddUp(t *testing.T) {
	t.Parallel()
	for _, s := range Samples(SampleAccount(), now) {
		got := totalsOf(s.Order)
		require.Equal(t, s.Expected.Lines, got.Lines, s.Name)
		require.Equal(t, s.Expected.Units, got.Units, s.Name)
		require.Equal(t, s.Expected.Subtotal.String(), got.Subtotal.String(), s.Name)
		require.True(t, s.Expected.ItemDiscounts.Equal(got.ItemDiscounts), s.Name)
		require.True(t, s.Expected.OrderDiscount.Equal(got.OrderDiscount), s.Name)
		require.True(t, s.Expected.Total.Equal(got.Total), s.Name)
	}
}

func TestLeadsGoToTheActionLeadWhereThereIsOne(t *testing.T) {
	t.Parallel()
	both, saleOnly := SampleAccount(), SampleAccount()
	saleOnly.Actions = map[string]string{"sale": "398210"}
	last := len(samples) - 1
	require.Equal(t, "lead", Samples(both, now)[last].Order.Action)
	require.Empty(t, Samples(both, now)[last].Notes)
	require.Empty(t, Samples(saleOnly, now)[last].Order.Action)
	require.Contains(t, Samples(saleOnly, now)[last].Notes[0], "default action, sale")
}
