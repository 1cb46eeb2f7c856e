package demo

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// The schema registry's ids.
const (
	orderSchemaID = 1
	clickSchemaID = 2
)

// window is how old a click may be when its order is confirmed.
const window = 395 * day

const day = 24 * time.Hour

// shopper is one visitor with an order, and the truth about it.
type shopper struct {
	random *rand.Rand
	// scenario is the name of what happens to the shopper.
	scenario string
	// clicks are what the shop's edge wrote, in that order.
	clicks []click
	order  basket
	// value is the record's value: the order, or what became of it on the way.
	value []byte

	// kind and reason are how the order must end, and clickID the click that counts where it is sent.
	kind    schema.Kind
	reason  schema.Reason
	clickID string
}

// click is one record of the click topic.
type click struct {
	id string
	at time.Time
	// erased makes a tombstone, garbled a value that is no click.
	erased, garbled bool
}

// crowd makes the shoppers of one seed. Each depends on the seed, its number and the time it comes, and on no
// other shopper. A crowd is for one goroutine.
type crowd struct {
	seed   uint64
	prefix string
	// dealt is the shuffled deck of one block of shoppers.
	block int
	dealt []*scenario
}

func newCrowd(seed uint64) *crowd {
	prefix := rand.New(rand.NewPCG(seed, 0)).Uint32()
	return &crowd{seed: seed, prefix: fmt.Sprintf("ORD-%06X-", prefix>>8), block: -1}
}

// orderID is the id of shopper i's order; number reads i from it again.
func (c *crowd) orderID(i int) string { return c.prefix + fmt.Sprintf("%07d", i+1) }

func (c *crowd) number(orderID string) (i int, ok bool) {
	text, ours := strings.CutPrefix(orderID, c.prefix)
	i, err := strconv.Atoi(text)
	return i - 1, ours && err == nil && i > 0
}

// shopper makes shopper i, who confirms an order shortly before the time.
func (c *crowd) shopper(i int, at time.Time) *shopper {
	random := rand.New(rand.NewPCG(c.seed, uint64(i)+1))
	s := &shopper{random: random}
	s.order.id = c.orderID(i)
	s.order.session = "s-" + s.hex(8)
	// A click that comes after the order must not lie in the future.
	s.order.confirmedAt = at.UTC().Truncate(time.Millisecond).Add(-s.between(40*time.Second, 2*time.Minute))
	s.order.fill(random)
	card := c.scenario(i)
	s.scenario = card.name
	card.play(s)
	return s
}

// scenario deals shopper i a card. The deck is shuffled anew for each block of shoppers, so that even a short
// demo has every kind of them.
func (c *crowd) scenario(i int) *scenario {
	if block := i / deckSize; block != c.block {
		c.block, c.dealt = block, c.dealt[:0]
		for k := range deck {
			for range deck[k].cards {
				c.dealt = append(c.dealt, &deck[k])
			}
		}
		shuffle := rand.New(rand.NewPCG(c.seed, ^uint64(block)))
		shuffle.Shuffle(len(c.dealt), func(a, b int) { c.dealt[a], c.dealt[b] = c.dealt[b], c.dealt[a] })
	}
	return c.dealt[i%deckSize]
}

// hex is so many random bytes as text.
func (s *shopper) hex(n int) string {
	bytes := make([]byte, 0, n)
	for len(bytes) < n {
		bytes = binary.BigEndian.AppendUint64(bytes, s.random.Uint64())
	}
	return hex.EncodeToString(bytes[:n])
}

// between is a random time from low on and below high, in whole milliseconds, as Avro keeps them.
func (s *shopper) between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.random.Int64N(int64((high-low)/time.Millisecond)))*time.Millisecond
}

// before is a time so long before the order.
func (s *shopper) before(low, high time.Duration) time.Time {
	return s.order.confirmedAt.Add(-s.between(low, high))
}

// lands catches a click at a time and returns its id.
func (s *shopper) lands(at time.Time) string {
	id := s.hex(16)
	s.clicks = append(s.clicks, click{id: id, at: at})
	return id
}

// landsInTime catches a click that counts.
func (s *shopper) landsInTime() string { return s.lands(s.before(time.Minute, 30*day)) }

// counts says that CJ must acknowledge the order with this click.
func (s *shopper) counts(clickID string, reason schema.Reason) {
	s.kind, s.reason, s.clickID = schema.Acknowledged, reason, clickID
}

// misses says that the order belongs to no click.
func (s *shopper) misses(reason schema.Reason) { s.kind, s.reason = schema.Unattributed, reason }

// fails says that the order cannot be sent.
func (s *shopper) fails(reason schema.Reason) { s.kind, s.reason = schema.DeadLetter, reason }

// mangles writes the order and then damages the bytes.
func (s *shopper) mangles(damage func(value []byte) []byte) {
	s.value = damage(s.order.encode())
	s.fails(schema.ReasonMalformed)
}

// clickRecords are the shopper's records for the click topic. Their time is that of the click, as at the edge.
func (s *shopper) clickRecords(topic string) []*kgo.Record {
	records := make([]*kgo.Record, len(s.clicks))
	for i, c := range s.clicks {
		records[i] = &kgo.Record{Topic: topic, Key: []byte(s.order.session), Timestamp: c.at}
		switch {
		case c.erased:
		case c.garbled:
			records[i].Value = []byte("cjevent=" + c.id)
		default:
			records[i].Value = must(schema.EncodeClick(clickSchemaID, schema.Click{ID: c.id, CapturedAt: c.at}))
		}
	}
	return records
}

// orderRecord is the shopper's record for the order topic.
func (s *shopper) orderRecord(topic string) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(s.order.id), Value: s.value}
}
