package letters_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post has an orders' topic and the dead letters of it.
type post struct {
	*kafkatest.Cluster
	orders, dlq string
	client      *kgo.Client
	decode      schema.OrderDecoder
}

func open(t *testing.T, cluster *kafkatest.Cluster, settings map[string]string) *post {
	t.Helper()
	decode, err := schema.NewOrderDecoder(schema.FormatJSON, nil)
	require.NoError(t, err)
	return &post{Cluster: cluster, orders: cluster.Topic(t, "orders", 3, settings), dlq: cluster.Topic(t, "dlq", 2, nil), client: cluster.Client(t), decode: decode}
}

// dead is one letter as package consumer writes it: the order at that offset of partition 2.
type dead struct {
	offset   int64
	reason   string
	key      string
	value    string
	own      []kgo.RecordHeader
	redrives int
	origin   string
	at       time.Time
	// in is the letter's own partition.
	in int32
}

var noon = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

func (p *post) letter(d dead) *kgo.Record {
	if d.at.IsZero() {
		d.at = noon.Add(time.Duration(d.offset) * time.Second)
	}
	record := &kgo.Record{Topic: p.dlq, Partition: d.in, Value: []byte(d.value), Headers: d.own}
	if d.redrives > 0 {
		record.Headers = append(record.Headers, header("cjrelay-redrives", strconv.Itoa(d.redrives)), header("cjrelay-origin", d.origin),
			header("cjrelay-redriven-from", p.dlq+"/0/0"))
	}
	record.Headers = append(record.Headers, header("cjrelay-reason", d.reason), header("cjrelay-error", "because"), header("cjrelay-topic", p.orders),
		header("cjrelay-partition", "2"), header("cjrelay-offset", strconv.FormatInt(d.offset, 10)), header("cjrelay-attempts", "1"),
		header("cjrelay-status", "400"), header("cjrelay-at", d.at.Format(time.RFC3339Nano)), header("cjrelay-version", "v1"))
	return record
}

// die writes letters.
func (p *post) die(t *testing.T, all ...dead) {
	t.Helper()
	client := p.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, d := range all {
		record := p.letter(d)
		if d.key != "" {
			record.Key = []byte(d.key)
		}
		client.Produce(t.Context(), record, nil)
	}
	require.NoError(t, client.Flush(t.Context()))
}

func (p *post) box(t *testing.T) *letters.Box {
	t.Helper()
	b, err := letters.Open(t.Context(), p.client, p.dlq, p.decode)
	require.NoError(t, err)
	return b
}

func (p *post) redriver() letters.Redriver {
	return letters.Redriver{Client: p.Options(), DeadLetters: p.dlq, Orders: p.orders, Version: "v2"}
}

// waiting are the letters that wait.
func (p *post) waiting(t *testing.T) []letters.Letter {
	t.Helper()
	return p.box(t).Choose(letters.Selection{})
}

func order(id string) string {
	return `{"order_id":"` + id + `","confirmed_at":"2026-03-27T11:02:07Z","currency":"USD","amount":"22.99","session_id":"s-1"}`
}

func headersOf(r *kgo.Record) map[string]string {
	all := map[string]string{}
	for _, h := range r.Headers {
		all[h.Key] = string(h.Value)
	}
	return all
}
