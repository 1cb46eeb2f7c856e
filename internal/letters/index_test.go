package letters_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/schema"
)

func (p *post) index() *letters.Index {
	return letters.NewIndex(letters.IndexConfig{Client: p.Options(), DeadLetters: p.dlq, Orders: p.orders, Decode: p.decode})
}

// list asks with nothing remembered of how lately it was asked.
func list(t *testing.T, i *letters.Index, asked letters.Question) letters.Listing {
	t.Helper()
	i.Stale(t.Context())
	if asked.Limit == 0 {
		asked.Limit = 200
	}
	found, err := i.List(t.Context(), asked)
	require.NoError(t, err)
	return found
}

// ids are the orders of letters.
func ids(all []letters.Letter) string {
	var found []string
	for _, l := range all {
		found = append(found, l.OrderID)
	}
	return strings.Join(found, " ")
}

func TestIndexListsWhatWaitsLatestFirst(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t,
		dead{offset: 0, reason: "rejected", value: order("ORD-0"), in: 0},
		dead{offset: 1, reason: "parked", value: order("ORD-1"), in: 1},
		dead{offset: 2, reason: "rejected", value: order("ord-2"), in: 1},
		dead{offset: 3, reason: "too_large", in: 0},
		dead{offset: 4, reason: "rejected", value: order("ORD-4"), in: 0, redrives: letters.MaxRedrives, origin: p.orders + "/0/3"},
	)
	p.Produce(t, &kgo.Record{Topic: p.dlq, Value: []byte("foreign")})
	index := p.index()
	all := list(t, index, letters.Question{})
	require.Equal(t, "ORD-4  ord-2 ORD-1 ORD-0", ids(all.Letters))
	require.Equal(t, map[string]int{"rejected": 3, "parked": 1, "too_large": 1}, all.Waiting)
	require.Equal(t, map[string]int{"rejected": 1, "too_large": 1}, all.Stuck)
	require.Equal(t, 1, all.Foreign)
	require.Zero(t, all.Unread)
	require.Equal(t, letters.Letter{
		Place: letters.Place{Topic: p.dlq, Partition: 1, Offset: 0}, Reason: "parked", Error: "because", OrderID: "ORD-1", Attempts: 1, Status: 400,
		Order: letters.Place{Topic: p.orders, Partition: 2, Offset: 1}, Origin: letters.Place{Topic: p.orders, Partition: 2, Offset: 1},
		At: noon.Add(time.Second), Version: "v1", Bytes: len(order("ORD-1")),
	}, all.Letters[3])

	for name, test := range map[string]struct {
		asked letters.Question
		want  string
	}{
		"Reason":        {letters.Question{Reason: "rejected"}, "ORD-4 ord-2 ORD-0"},
		"UnknownReason": {letters.Question{Reason: "reject"}, ""},
		"Part":          {letters.Question{Part: "d-2"}, "ord-2"},
		"PartInAnyCase": {letters.Question{Part: "Ord-"}, "ORD-4 ord-2 ORD-1 ORD-0"},
		"Both":          {letters.Question{Part: "ORD-", Reason: "parked"}, "ORD-1"},
		"Limit":         {letters.Question{Part: "ORD-", Limit: 2}, "ORD-4 ord-2"},
		"Redriven":      {letters.Question{Redriven: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := list(t, index, test.asked)
			require.Equal(t, test.want, ids(found.Letters))
			require.Equal(t, all.Waiting, found.Waiting, "whatever is asked for")
		})
	}
}

func TestIndexFollowsWhatIsSentAgain(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t,
		dead{offset: 0, reason: "rejected", value: order("ORD-0"), in: 1},
		dead{offset: 1, reason: "rejected", value: order("ORD-1"), in: 1},
		dead{offset: 2, reason: "rejected", value: order("ORD-2"), in: 0},
		dead{offset: 3, reason: "rejected", value: order("ORD-3"), redrives: letters.MaxRedrives, origin: p.orders + "/0/3"},
		dead{offset: 4, reason: "parked", value: order("ORD-4")},
	)
	index := p.index()
	require.Equal(t, "ORD-4 ORD-3 ORD-2 ORD-1 ORD-0", ids(list(t, index, letters.Question{}).Letters))

	chosen, all, err := index.Waiting(t.Context(), "rejected", 2)
	require.NoError(t, err)
	require.Equal(t, "ORD-0 ORD-1", ids(chosen), "the oldest, without what is not sent again")
	require.Equal(t, 3, all)
	gone, refused, err := p.redriver().Run(t.Context(), chosen)
	require.NoError(t, err)
	require.Empty(t, refused)

	after := list(t, index, letters.Question{})
	require.Equal(t, "ORD-4 ORD-3 ORD-2", ids(after.Letters))
	require.Equal(t, map[string]int{"rejected": 2, "parked": 1}, after.Waiting)
	require.Equal(t, 2, after.Redriven)
	sent := list(t, index, letters.Question{Redriven: true})
	require.Equal(t, "ORD-1 ORD-0", ids(sent.Letters))
	require.Equal(t, gone[1].Redriven, sent.Letters[0].Redriven)
	require.Equal(t, sent.Letters, list(t, index, letters.Question{Redriven: true}).Letters, "as it is remembered")
	require.Equal(t, sent.Letters, list(t, p.index(), letters.Question{Redriven: true}).Letters, "as another process sees it")
}

// A redriver is told places, which may mean nothing by now.
func TestAPlaceWithoutALetterIsRefused(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t, dead{offset: 0, reason: "rejected", value: order("ORD-0")})
	none := letters.Letter{Place: letters.Place{Topic: p.dlq, Partition: 0, Offset: 7}}
	gone, refused, err := p.redriver().Run(t.Context(), []letters.Letter{none})
	require.NoError(t, err)
	require.Empty(t, gone)
	require.Equal(t, []letters.Refused{{Letter: none, Why: "is gone: retention has taken it"}}, refused)
}

func TestIndexLooksAtTheLatestOnly(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	for i := range 10 {
		p.die(t, dead{offset: int64(i), reason: "rejected", value: order(fmt.Sprint("ORD-", i)), in: int32(i % 2)})
	}
	index := letters.NewIndex(letters.IndexConfig{Client: p.Options(), DeadLetters: p.dlq, Orders: p.orders, Decode: p.decode, Newest: 6})
	found := list(t, index, letters.Question{})
	require.Equal(t, "ORD-9 ORD-8 ORD-7 ORD-6 ORD-5 ORD-4", ids(found.Letters))
	require.EqualValues(t, 4, found.Passed)
	require.Equal(t, map[string]int{"rejected": 6}, found.Waiting)
	p.die(t, dead{offset: 10, reason: "parked", value: order("ORD-10")})
	found = list(t, index, letters.Question{})
	require.Equal(t, "ORD-10 ORD-9 ORD-8 ORD-7 ORD-6 ORD-5", ids(found.Letters))
	require.EqualValues(t, 5, found.Passed)
}

func TestIndexForgetsWhatRetentionTakes(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t, dead{offset: 0, reason: "parked", value: order("ORD-0")}, dead{offset: 1, reason: "rejected", value: order("ORD-1")})
	index := p.index()
	require.Equal(t, "ORD-1 ORD-0", ids(list(t, index, letters.Question{}).Letters))
	var before kadm.Offsets
	before.AddOffset(p.dlq, 0, 1, -1)
	_, err := p.Admin.DeleteRecords(t.Context(), before)
	require.NoError(t, err)
	found := list(t, index, letters.Question{})
	require.Equal(t, "ORD-1", ids(found.Letters))
	require.Equal(t, map[string]int{"rejected": 1}, found.Waiting)
}

// A note is about a letter of the topic that it names, and a topic that was made anew is another one.
func TestIndexTellsTopicsApart(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.StartFake(t), nil)
	p.die(t, dead{offset: 0, reason: "rejected", value: order("ORD-0")}, dead{offset: 1, reason: "rejected", value: order("ORD-1")})
	elsewhere := p.letter(dead{offset: 0, reason: "redriven"})
	elsewhere.Headers = append(elsewhere.Headers, header("cjrelay-letter", "another/0/0"))
	p.Produce(t, elsewhere)
	index := p.index()
	require.Equal(t, "ORD-1 ORD-0", ids(list(t, index, letters.Question{}).Letters))

	_, err := p.Admin.DeleteTopics(t.Context(), p.dlq)
	require.NoError(t, err)
	_, err = p.Admin.CreateTopic(t.Context(), 2, 1, nil, p.dlq)
	require.NoError(t, err)
	p.die(t, dead{offset: 2, reason: "parked", value: order("ORD-2")})
	found := list(t, index, letters.Question{})
	require.Equal(t, "ORD-2", ids(found.Letters))
	require.Equal(t, map[string]int{"parked": 1}, found.Waiting)
}

func TestIndexKeepsLittleOfALongText(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	long := p.letter(dead{offset: 0, reason: "rejected", value: order(strings.Repeat("ORD-", 60))})
	long.Headers = append(long.Headers, header("cjrelay-error", strings.Repeat("x", 100_000)))
	p.Produce(t, long)
	for i := range 150 {
		p.die(t, dead{offset: int64(1 + i), reason: fmt.Sprint("reason-", i), value: "{"})
	}
	found := list(t, p.index(), letters.Question{})
	require.Len(t, found.Waiting, 100)
	require.Equal(t, 52, found.Waiting["others"])
	found = list(t, p.index(), letters.Question{Reason: "rejected"})
	require.Less(t, len(found.Letters[0].Error), 1100)
	require.Less(t, len(found.Letters[0].OrderID), 110)
	require.True(t, strings.HasPrefix(found.Letters[0].OrderID, "ORD-ORD-"))
}

func TestIndexLearnsTheIDsWhenTheRegistryIsBack(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t, dead{offset: 0, reason: "rejected", value: order("ORD-0")}, dead{offset: 1, reason: "rejected", value: order("ORD-1")})
	asked, away := 0, true
	index := letters.NewIndex(letters.IndexConfig{
		Client: p.Options(), DeadLetters: p.dlq, Orders: p.orders,
		Decode: func(ctx context.Context, value []byte) (*schema.Order, error) {
			if asked++; away {
				return nil, fmt.Errorf("%w: no answer", schema.ErrUnavailable)
			}
			return p.decode(ctx, value)
		},
	})
	found := list(t, index, letters.Question{})
	require.Len(t, found.Letters, 2)
	require.Equal(t, 2, found.Unnamed)
	require.Equal(t, 1, asked, "each further one would wait for its time-out")
	away = false
	found = list(t, index, letters.Question{Part: "ORD-0"})
	require.Equal(t, "ORD-0", ids(found.Letters))
	require.Zero(t, found.Unnamed)
}

func TestIndexReadsNothingTwiceWithinAMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t, kafkatest.StartVirtual(t), nil)
		p.die(t, dead{offset: 0, reason: "rejected", value: order("ORD-0")})
		index := p.index()
		asked := letters.Question{Limit: 10}
		found, err := index.List(t.Context(), asked)
		require.NoError(t, err)
		require.Equal(t, "ORD-0", ids(found.Letters))
		p.die(t, dead{offset: 1, reason: "rejected", value: order("ORD-1")})
		found, err = index.List(t.Context(), asked)
		require.NoError(t, err)
		require.Equal(t, "ORD-0", ids(found.Letters))
		time.Sleep(2 * time.Second)
		found, err = index.List(t.Context(), asked)
		require.NoError(t, err)
		require.Equal(t, "ORD-1 ORD-0", ids(found.Letters))
	})
}

// However much there is, an answer comes soon, and the next question goes on.
func TestIndexAnswersBeforeItHasReadEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t, kafkatest.StartVirtual(t), nil)
		for i := range 10 {
			p.die(t, dead{offset: int64(i), reason: "rejected", value: order(fmt.Sprint("ORD-", i))})
		}
		index := letters.NewIndex(letters.IndexConfig{
			Client: p.Options(), DeadLetters: p.dlq, Orders: p.orders,
			Decode: func(ctx context.Context, value []byte) (*schema.Order, error) {
				time.Sleep(time.Second)
				return p.decode(ctx, value)
			},
		})
		began := time.Now()
		found, err := index.List(t.Context(), letters.Question{Limit: 10})
		require.NoError(t, err)
		require.NotEmpty(t, found.Letters)
		require.EqualValues(t, 10-len(found.Letters), found.Unread)
		require.NotZero(t, found.Unread)
		require.Less(t, time.Since(began), 7*time.Second)

		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = index.Waiting(impatient, "rejected", 10)
		require.ErrorIs(t, err, context.DeadlineExceeded, "nobody can say how many there are")

		chosen, all, err := index.Waiting(t.Context(), "rejected", 10)
		require.NoError(t, err)
		require.Equal(t, 10, all)
		require.Equal(t, "ORD-0 ORD-1 ORD-2 ORD-3 ORD-4 ORD-5 ORD-6 ORD-7 ORD-8 ORD-9", ids(chosen), "each once")
	})
}

func TestIndexIsReadByOneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t, kafkatest.StartVirtual(t), nil)
		p.die(t, dead{offset: 0, reason: "rejected", value: order("ORD-0")})
		reading, goOn := make(chan struct{}), make(chan struct{})
		index := letters.NewIndex(letters.IndexConfig{
			Client: p.Options(), DeadLetters: p.dlq, Orders: p.orders,
			Decode: func(ctx context.Context, value []byte) (*schema.Order, error) {
				close(reading)
				<-goOn
				return p.decode(ctx, value)
			},
		})
		first := make(chan error, 1)
		go func() {
			_, err := index.List(t.Context(), letters.Question{Limit: 10})
			first <- err
		}()
		<-reading
		impatient, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("too long"))
		defer cancel()
		_, err := index.List(impatient, letters.Question{Limit: 10})
		require.ErrorContains(t, err, "ask again in a moment")
		close(goOn)
		require.NoError(t, <-first)
	})
}
