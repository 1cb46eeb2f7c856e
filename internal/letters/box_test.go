package letters_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/schema"
)

func TestOpenReadsWhatStandsInALetter(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t,
		dead{offset: 7, reason: "rejected", value: order("ORD-7"), in: 1},
		dead{offset: 8, reason: "invalid_order", value: `{"order_id":"ORD-8"}`, redrives: 2, origin: p.orders + "/0/3"},
		dead{offset: 9, reason: "malformed", value: "{"},
	)
	tooLarge := p.letter(dead{offset: 10, reason: "too_large"})
	tooLarge.Value = nil
	tooLarge.Headers = append(tooLarge.Headers, header("cjrelay-sha256", "abc"), header("cjrelay-bytes", "2000000"))
	evil := p.letter(dead{offset: 11, reason: "rejected"})
	evil.Headers = append(evil.Headers, header("cjrelay-error", "\x1b[2Jgone\n"))
	p.Produce(t, tooLarge, evil, &kgo.Record{Topic: p.dlq, Value: []byte("foreign")})

	b := p.box(t)
	require.Equal(t, 1, b.Foreign)
	require.Len(t, b.Letters, 5)
	at := func(partition int32, offset int64) letters.Place {
		return letters.Place{Topic: p.dlq, Partition: partition, Offset: offset}
	}
	from := func(offset int64) letters.Place { return letters.Place{Topic: p.orders, Partition: 2, Offset: offset} }
	require.Equal(t, letters.Letter{Place: at(1, 0), Reason: "rejected", Error: "because", Order: from(7), Origin: from(7), OrderID: "ORD-7", Attempts: 1,
		Status: 400, At: noon.Add(7 * time.Second), Version: "v1", Bytes: len(order("ORD-7"))}, b.Letters[0])
	require.Equal(t, "ORD-8", b.Letters[1].OrderID, "what can be read of an invalid order names it")
	require.Equal(t, 2, b.Letters[1].Redrives)
	require.Equal(t, letters.Place{Topic: p.orders, Partition: 0, Offset: 3}, b.Letters[1].Origin)
	require.Equal(t, p.dlq+"/0/0", b.Letters[1].From)
	require.Empty(t, b.Letters[2].OrderID)
	require.False(t, b.Letters[3].HasValue())
	require.Equal(t, 2_000_000, b.Letters[3].Bytes)
	require.Equal(t, "abc", b.Letters[3].SHA256)
	require.Equal(t, " [2Jgone ", b.Letters[4].Error)
}

// A shop may give its orders headers of our names. Those that the relay wrote are behind them, and count.
func TestALettersOwnHeadersCount(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t, dead{offset: 7, reason: "parked", value: order("ORD-7"), own: []kgo.RecordHeader{header("cjrelay-reason", "redriven"), header("cjrelay-offset", "8")}})
	undated := p.letter(dead{offset: 8, reason: "parked", value: order("ORD-8")})
	undated.Headers = slices.DeleteFunc(undated.Headers, func(h kgo.RecordHeader) bool { return h.Key == "cjrelay-at" })
	undated.Timestamp = noon.Add(time.Hour)
	misdirected := p.letter(dead{offset: 9, reason: "redriven"})
	misdirected.Headers = append(misdirected.Headers, header("cjrelay-letter", "nowhere"))
	p.Produce(t, undated, misdirected)
	b := p.box(t)
	require.Len(t, b.Letters, 2)
	require.Equal(t, "parked", b.Letters[0].Reason)
	require.EqualValues(t, 7, b.Letters[0].Order.Offset)
	require.Equal(t, noon.Add(time.Hour), b.Letters[1].At, "where nothing says when it was written, its record does")
	require.Equal(t, 1, b.Foreign, "a note about no letter")
}

func TestOpenGoesOnWithoutARegistry(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	for i := range 20 {
		p.die(t, dead{offset: int64(i), reason: "rejected", value: "x"})
	}
	asked := 0
	b, err := letters.Open(t.Context(), p.client, p.dlq, func(context.Context, []byte) (*schema.Order, error) {
		asked++
		return nil, fmt.Errorf("%w: no answer", schema.ErrUnavailable)
	})
	require.NoError(t, err)
	require.Len(t, b.Letters, 20)
	require.Equal(t, 20, b.Unnamed)
	require.Equal(t, 1, asked, "each further one would wait for its time-out")
}

func TestChoose(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t,
		dead{offset: 0, reason: "rejected", value: order("ORD-0")},
		dead{offset: 1, reason: "parked", value: order("ORD-1")},
		dead{offset: 2, reason: "rejected", value: order("0/1")},
		dead{offset: 3, reason: "malformed", value: "{"},
	)
	b := p.box(t)
	for name, test := range map[string]struct {
		selection letters.Selection
		want      []int64
	}{
		"All":             {letters.Selection{}, []int64{0, 1, 2, 3}},
		"Reasons":         {letters.Selection{Reasons: []string{"parked", "malformed"}}, []int64{1, 3}},
		"Since":           {letters.Selection{Since: noon.Add(2 * time.Second)}, []int64{2, 3}},
		"Until":           {letters.Selection{Until: noon.Add(2 * time.Second)}, []int64{0, 1}},
		"Limit":           {letters.Selection{Reasons: []string{"rejected"}, Limit: 1}, []int64{0}},
		"OrderID":         {letters.Selection{Named: []string{"ORD-1"}}, []int64{1}},
		"Place":           {letters.Selection{Named: []string{"0/3"}}, []int64{3}},
		"WholePlace":      {letters.Selection{Named: []string{p.dlq + "/0/0", "ORD-1"}}, []int64{0, 1}},
		"OrderIDAndPlace": {letters.Selection{Named: []string{"0/1"}}, []int64{1, 2}},
		"OtherTopic":      {letters.Selection{Named: []string{"other/0/0"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []int64
			for _, l := range b.Choose(test.selection) {
				got = append(got, l.Order.Offset)
			}
			require.Equal(t, test.want, got)
		})
	}
	require.Equal(t, []string{"ORD-9", "1/0"}, b.Unmatched(letters.Selection{Named: []string{"ORD-9", "ORD-1", "1/0", "0/2"}}))
}

func TestParsePlace(t *testing.T) {
	t.Parallel()
	place, ok := letters.ParsePlace("3/42", "dlq")
	require.True(t, ok)
	require.Equal(t, "dlq/3/42", place.String())
	for _, text := range []string{"", "42", "a/b", "-1/2", "1/-2", "x/1/2/3", "/1/2", "1/99999999999999999999", "9999999999/1"} {
		_, ok := letters.ParsePlace(text, "dlq")
		require.False(t, ok, text)
	}
}
