package relay_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// The merchant's account at CJ.
const (
	enterpriseID = "1234567"
	saleTracker  = "398210"
)

// longest bounds every wait. It says nothing about speed: a wait ends when what it waits for is there.
const longest = 2 * time.Minute

// shop is a merchant with its Kafka, its CJ, and a configuration for the relays between them.
type shop struct {
	kafka    *kafkatest.Cluster
	cj       *cjtest.Server
	registry *srfake.Registry // nil unless useAvro was called
	config   config.Config
	// now is the time of the shop's orders unless they say otherwise.
	now    time.Time
	relays []*running
	dirs   *clickDirs
	watch  *kgo.Client // of the outcomes
	seen   []schema.OutcomeRecord
	// crashed allows an order to have been acknowledged more than once, with an outcome each.
	crashed bool
	// late allows the first alone: CJ may answer after the relay has given the attempt up.
	late bool
}

// open makes the topics and a fake CJ. Orders and clicks are JSON unless the test says otherwise.
func open(t *testing.T, partitions int32, options ...cjtest.Option) *shop {
	t.Helper()
	return openOn(t, kafkatest.Start(t), partitions, options...)
}

func openOn(t *testing.T, kafka *kafkatest.Cluster, partitions int32, options ...cjtest.Option) *shop {
	t.Helper()
	s := &shop{kafka: kafka, dirs: &clickDirs{}, now: time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)}
	cj, err := cjtest.Start(append(options, cjtest.WithEnterpriseIDs(enterpriseID), cjtest.WithActions(saleTracker))...)
	require.NoError(t, err)
	t.Cleanup(cj.Close)
	s.cj = cj
	cfg := config.Default()
	cfg.Kafka.Brokers = s.kafka.Brokers
	cfg.Kafka.SessionTimeout = 10 * time.Second
	cfg.Orders.Topic = s.kafka.Topic(t, "order.confirmed", partitions, map[string]string{"max.message.bytes": "10485760"})
	// Some clicks of the tests are older than the attribution window: retention must not take them.
	cfg.Clicks.Topic = s.kafka.Topic(t, "cjevent", partitions, map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1"})
	cfg.DeadLetter.Topic = s.kafka.Topic(t, "dlq", 1, map[string]string{"max.message.bytes": "10551296"})
	cfg.Outcomes.Topic = s.kafka.Topic(t, "outcomes", 1, nil)
	cfg.Orders.Group = kafkatest.Name("group")
	cfg.Orders.Format, cfg.Clicks.Format = config.JSON, config.JSON
	cfg.Orders.Start = config.StartEarliest
	cfg.CJ.Endpoint = cj.Endpoint()
	cfg.CJ.EnterpriseID = enterpriseID
	cfg.CJ.Actions = map[string]string{"sale": saleTracker}
	cfg.Delivery.BackoffInitial, cfg.Delivery.BackoffMax = 10*time.Millisecond, 50*time.Millisecond
	cfg.Delivery.CommitInterval = 50 * time.Millisecond
	cfg.Delivery.MassWait = 50 * time.Millisecond
	cfg.Breaker.Open = 100 * time.Millisecond
	s.config = cfg
	s.watch = s.kafka.Client(t, kgo.ConsumeTopics(cfg.Outcomes.Topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(50*time.Millisecond))
	return s
}

// useAvro starts a registry and makes orders and clicks Avro.
func (s *shop) useAvro(t *testing.T) {
	t.Helper()
	s.registry = kafkatest.Registry(t)
	s.config.Registry.URL = s.registry.URL()
	s.config.Orders.Format, s.config.Clicks.Format = config.Avro, config.Avro
}

// order is a small valid order of 40.98 in total.
func (s *shop) order(id, session string, changes ...func(*schema.Order)) *schema.Order {
	o := &schema.Order{ID: id, SessionID: session, ConfirmedAt: s.now, Currency: "USD",
		Items: []schema.Item{{SKU: "SKU-1", UnitPrice: money("22.99"), Quantity: 2, Discount: money("5.00")}}}
	for _, change := range changes {
		change(o)
	}
	return o
}

// carrying makes an order bring its own click id, so that it needs no click table.
func carrying(id string) func(*schema.Order) {
	return func(o *schema.Order) { o.CJEvent = id }
}

// record is an order as it stands in the topic, keyed by its id.
func (s *shop) record(t *testing.T, o *schema.Order) *kgo.Record {
	t.Helper()
	var value []byte
	var err error
	if s.config.Orders.Format == config.Avro {
		value, err = schema.EncodeOrder(kafkatest.OrderSchemaID, o)
	} else {
		value, err = o.MarshalJSON()
	}
	require.NoError(t, err)
	return &kgo.Record{Topic: s.config.Orders.Topic, Key: []byte("key-" + o.ID), Value: value}
}

// confirm produces orders.
func (s *shop) confirm(t *testing.T, orders ...*schema.Order) {
	t.Helper()
	records := make([]*kgo.Record, len(orders))
	for i, o := range orders {
		records[i] = s.record(t, o)
	}
	s.kafka.Produce(t, records...)
}

// visit is a click that a session has brought along.
type visit struct {
	session, click string
	at             time.Time
}

// click is a visit as it stands in the click topic.
func (s *shop) click(t *testing.T, v visit) *kgo.Record {
	t.Helper()
	record := &kgo.Record{Topic: s.config.Clicks.Topic, Key: []byte(v.session), Timestamp: v.at}
	switch s.config.Clicks.Format {
	case config.Avro:
		value, err := schema.EncodeClick(kafkatest.ClickSchemaID, schema.Click{ID: v.click, CapturedAt: v.at})
		require.NoError(t, err)
		record.Value = value
	case config.BareClick:
		record.Value = []byte(v.click)
	default:
		record.Value = []byte(`{"cjevent":"` + v.click + `","captured_at":"` + v.at.UTC().Format(time.RFC3339Nano) + `"}`)
	}
	return record
}

// visited produces clicks.
func (s *shop) visited(t *testing.T, visits ...visit) {
	t.Helper()
	records := make([]*kgo.Record, len(visits))
	for i, v := range visits {
		records[i] = s.click(t, v)
	}
	s.kafka.Produce(t, records...)
}

// hourAgo is a visit of a session an hour before its order, with the session's own click id.
func (s *shop) hourAgo(session string) visit {
	return visit{session: session, click: clickOf(session), at: s.now.Add(-time.Hour)}
}

// clickOf is a click id that no other session has.
func clickOf(session string) string {
	sum := sha256.Sum256([]byte(session))
	return hex.EncodeToString(sum[:16])
}

func money(text string) schema.Money {
	amount, err := schema.ParseMoney(text)
	if err != nil {
		panic(err)
	}
	return amount
}
