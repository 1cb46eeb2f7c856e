package relay_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// letters asks the running relay for dead letters until there are n.
func (s *shop) letters(t *testing.T, r *running, asked console.AskedLetters, n int) console.Letters {
	t.Helper()
	asked.Limit = 200
	var found console.Letters
	s.await(t, fmt.Sprintf("%d letters", n), func() bool {
		var err error
		found, err = r.Letters(t.Context(), asked)
		return err == nil && len(found.Letters) == n
	})
	return found
}

func TestALetterIsSeenAndSentAgain(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.cj.Script(script(t, "status=400")...) // a single one is too few for the mass rule
	r := s.start(t)
	s.confirm(t, s.order("ORD-1", "", carrying(clickOf("s"))))
	found := s.letters(t, r, console.AskedLetters{}, 1)
	require.Equal(t, map[string]int{"rejected": 1}, found.Waiting)
	letter := found.Letters[0]
	require.Equal(t, "ORD-1", letter.OrderID)
	require.Equal(t, "rejected", letter.Reason)
	require.Contains(t, letter.Error, "400")
	require.Equal(t, 400, letter.Status)
	require.True(t, letter.Waits)
	require.NotContains(t, fmt.Sprint(found), clickOf("s"))

	s.cj.Script()
	partition, offset := strconv.Itoa(int(letter.Letter.Partition)), strconv.FormatInt(letter.Letter.Offset, 10)
	answer, err := r.RedriveLetter(t.Context(), partition, offset)
	require.NoError(t, err)
	require.Equal(t, 1, answer.Redriven)
	require.Equal(t, letter.Order.Partition, answer.To.Partition)
	sent := s.letters(t, r, console.AskedLetters{Redriven: true}, 1)
	require.Equal(t, *answer.To, sent.Letters[0].Redriven.To)
	require.False(t, sent.Letters[0].Waits)
	require.Empty(t, sent.Waiting)

	// Its new way begins where the letter was, and ends well.
	var way []console.Order
	s.await(t, "acknowledged", func() bool {
		way = r.Orders(console.Asked{OrderID: "ORD-1", Only: "acknowledged"}, 10)
		return len(way) == 1
	})
	require.Equal(t, "sent again from "+found.Topic+"/"+partition+"/"+offset, way[0].Steps[0].Detail)

	_, err = r.RedriveLetter(t.Context(), partition, offset)
	require.ErrorIs(t, err, console.ErrConflict)
	require.ErrorContains(t, err, "was sent again at ")
	_, err = r.RedriveLetter(t.Context(), partition, "7000")
	require.ErrorIs(t, err, console.ErrNoSuch)
	_, err = r.RedriveLetter(t.Context(), partition, "-1")
	require.ErrorIs(t, err, console.ErrMisasked)
	r.halt(t)
	_, err = r.RedriveLetter(t.Context(), partition, offset)
	require.ErrorContains(t, err, "are being sent again already", "nothing is begun after the end")
}

func TestLettersOfAReasonAreSentAgain(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.dieEarlier(t, "parked", 3, 0)
	s.dieEarlier(t, "rejected", 1, 0)
	s.dieEarlier(t, "rejected", 1, letters.MaxRedrives)
	r := s.start(t)
	found := s.letters(t, r, console.AskedLetters{}, 5)
	require.Equal(t, map[string]int{"parked": 3, "rejected": 2}, found.Waiting)
	require.Equal(t, map[string]int{"rejected": 1}, found.Stuck)
	require.Contains(t, found.Letters[0].Stuck+found.Letters[1].Stuck, "--force --execute")

	answer, err := r.RedriveReason(t.Context(), "parked")
	require.NoError(t, err)
	require.Equal(t, relay.Redrive{Reason: "parked", Redriven: 3}, answer)
	s.await(t, "acknowledged", func() bool { return len(r.Orders(console.Asked{Only: "acknowledged"}, 10)) == 3 })
	answer, err = r.RedriveReason(t.Context(), "rejected")
	require.NoError(t, err)
	require.Equal(t, relay.Redrive{Reason: "rejected", Redriven: 1}, answer)
	for _, done := range []string{"parked", "rejected", "unknown"} {
		_, err = r.RedriveReason(t.Context(), done)
		require.ErrorIs(t, err, console.ErrNoSuch)
	}
	_, err = r.RedriveReason(t.Context(), "")
	require.ErrorIs(t, err, console.ErrMisasked)
	require.Equal(t, map[string]int{"rejected": 1}, s.letters(t, r, console.AskedLetters{}, 1).Waiting)
}

// dieEarlier writes letters as an earlier process did.
func (s *shop) dieEarlier(t *testing.T, reason string, n, redrives int) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("ORD-%s-%d-%d", reason, redrives, i)
		record := s.record(t, s.order(id, "", carrying(clickOf(id))))
		record.Topic = s.config.DeadLetter.Topic
		for name, value := range map[string]string{"reason": reason, "error": "because", "topic": s.config.Orders.Topic, "partition": "1", "offset": strconv.Itoa(i), "redrives": strconv.Itoa(redrives)} {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: "cjrelay-" + name, Value: []byte(value)})
		}
		s.kafka.Produce(t, record)
	}
}

func TestAnIDThatIsAnAddressIsNotShown(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.dieEarlier(t, "jane@example.com", 1, 0)
	found := s.letters(t, s.start(t), console.AskedLetters{Part: "jane@"}, 1)
	require.NotContains(t, found.Letters[0].OrderID, "jane")
}

func TestLettersOfATopicThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	r := s.start(t)
	_, err := s.kafka.Admin.DeleteTopics(t.Context(), s.config.DeadLetter.Topic)
	require.NoError(t, err)
	// A broker may know a topic for a moment after it was deleted.
	s.await(t, "the topic is gone", func() bool {
		_, err = r.Letters(t.Context(), console.AskedLetters{Limit: 1})
		return err != nil
	})
	require.ErrorContains(t, err, "cjrelay topics")
}

// Where orders and clicks are co-partitioned, an order goes to where its session's clicks are.
func TestARedrivenOrderGoesHome(t *testing.T) {
	t.Parallel()
	s := open(t, 4)
	s.config.Clicks.Join = "copartitioned"
	partitioner, err := schema.NewPartitioner(schema.PartitionerMurmur2)
	require.NoError(t, err)
	session := "s-1"
	for n := 1; partitioner([]byte(session), 4) == 1; n++ {
		session = fmt.Sprint("s-", n)
	}
	record := s.record(t, s.order("ORD-1", session))
	record.Topic = s.config.DeadLetter.Topic
	for name, value := range map[string]string{"reason": "wrong_partition", "topic": s.config.Orders.Topic, "partition": "1", "offset": "0"} {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: "cjrelay-" + name, Value: []byte(value)})
	}
	s.kafka.Produce(t, record)
	s.visited(t, s.hourAgo(session))
	answer, err := s.start(t).RedriveReason(t.Context(), "wrong_partition")
	require.NoError(t, err)
	require.Equal(t, 1, answer.Redriven)
	ends, err := s.kafka.Admin.ListEndOffsets(t.Context(), s.config.Orders.Topic)
	require.NoError(t, err)
	home, _ := ends.Lookup(s.config.Orders.Topic, int32(partitioner([]byte(session), 4)))
	require.NotZero(t, home.Offset)
}
