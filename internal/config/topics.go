package config

import (
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// The formats of a topic's values.
const (
	// Avro is the schema registry's wire format: a zero byte, the schema's id, then the Avro encoding.
	Avro = schema.FormatAvro
	// JSON is one canonical JSON object.
	JSON = schema.FormatJSON
	// BareClick, for clicks only, is the click id and nothing else; its time is the record's timestamp.
	BareClick = schema.FormatString
)

// The ways of joining orders with clicks.
const (
	// JoinGlobal lets every process read all click partitions, so that orders may have any key.
	JoinGlobal = "global"
	// JoinCopartitioned lets a process read only the click partitions of its own order partitions.
	JoinCopartitioned = "copartitioned"
)

// The partitioners of a co-partitioned join.
const (
	// Murmur2 is how Kafka's Java client, franz-go and kcat with partitioner=murmur2_random spread keys.
	Murmur2 = schema.PartitionerMurmur2
	// CRC32 is how librdkafka spreads keys by default, so most clients in C, Python, .NET, PHP and Node.
	CRC32 = schema.PartitionerCRC32
)

// The words that orders.start may be, beside a time.
const (
	// StartEarliest fires every order that the topic still holds.
	StartEarliest = "earliest"
	// StartLatest fires only orders confirmed from now on.
	StartLatest = "latest"
)

// Orders is the topic of confirmed orders, and how many of them are held in memory.
type Orders struct {
	// Topic is the topic to read orders from. Default: order.confirmed.
	Topic string `koanf:"topic"`
	// Group is the consumer group whose offsets say what is done. A new name starts all over, with what that
	// means for orders already sent. Default: cjrelay.
	Group string `koanf:"group"`
	// Format is how orders are written in the topic: avro or json. Default: avro.
	Format string `koanf:"format"`
	// Start is where a group without committed offsets begins: earliest, latest, or a time such as
	// 2026-03-27T00:00:00Z. There is no default, so that nobody fires history, or skips orders, by accident.
	// A time is the safest: a group whose offsets expired starts there again. It is used once; after the
	// first start the committed offsets count. Default: none.
	Start string `koanf:"start"`
	// MaxPending bounds the orders without an outcome that one process holds. More rides out a longer
	// failure of single orders; less needs less memory. Range 1 to 1000000, not below delivery.concurrency
	// and orders.max_pending_per_partition. Default: 10000.
	MaxPending int `koanf:"max_pending"`
	// MaxPendingPerPartition bounds the same for one partition, so that a slow one leaves room for the
	// others. What is done between more than about 1200 orders that are not does not fit into a commit: after a
	// restart a part of it is sent again. Range 1 to 1000000. Default: 2000.
	MaxPendingPerPartition int `koanf:"max_pending_per_partition"`
	// MaxPendingBytes bounds the same by the size of the records. Range 1MiB to 64GiB, not below
	// orders.max_order_bytes. Default: 64MiB.
	MaxPendingBytes Size `koanf:"max_pending_bytes"`
	// MaxOrderBytes is the size above which a record is not an order but a mistake, and is rejected unread.
	// Range 1KiB to 64MiB. Default: 1MiB.
	MaxOrderBytes Size `koanf:"max_order_bytes"`
}

// StartTime returns the time in Start, and false when Start is empty, a word or not a time.
func (o Orders) StartTime() (time.Time, bool) {
	start, err := time.Parse(time.RFC3339, o.Start)
	return start, err == nil
}

// Clicks is the compacted topic of CJ clicks by session.
type Clicks struct {
	// Topic is the topic to read clicks from and, at the edge, to write them to. Default: cjevent.
	Topic string `koanf:"topic"`
	// Format is how clicks are written in the topic: avro, json, or string for the bare click id.
	// Default: avro.
	Format string `koanf:"format"`
	// Join is which clicks a process holds. global: all of them, whatever the key of an order is.
	// copartitioned: those of its own order partitions, so that many processes share a table that is too large
	// for one; both topics must have the same number of partitions, be keyed by session and be written with the
	// same partitioner, and none of that may change. Default: global.
	Join string `koanf:"join"`
	// Partitioner is how the producers of a co-partitioned join spread keys over partitions: murmur2 or crc32.
	// With the wrong one no order is called stray, and the log says that clicks do not lie where they should.
	// Default: murmur2.
	Partitioner string `koanf:"partitioner"`
	// Window is how old a click may be when its order is confirmed. CJ's own cookie lives 395 days; a
	// shorter window loses commissions that CJ would pay, a longer one sends orders that CJ does not
	// attribute. Range 60s to 3650d. Default: 395d.
	Window time.Duration `koanf:"window"`
	// Dir is where the click table keeps its files, so that a restart reads only what is new. One process uses
	// it at a time. It holds nothing that the topic does not: it may be lost or deleted while no process uses it.
	// Count 100 bytes a session, twice while it is made. Default: ./data.
	Dir string `koanf:"dir"`
	// Memory bounds what the click table keeps in memory: recently used parts of its files, and clicks on their
	// way there. More makes lookups and the first start faster. The whole process takes about 200MiB more.
	// Range 32MiB to 64GiB. Default: 256MiB.
	Memory Size `koanf:"memory"`
}

// DeadLetter is where orders go that cannot be sent.
type DeadLetter struct {
	// Topic is the dead-letter topic. It must not be one of the other topics. Default: order.confirmed.dlq.
	Topic string `koanf:"topic"`
}

// Outcomes is where the outcome of every order is written.
type Outcomes struct {
	// Topic is the outcome topic. It must not be one of the other topics. Default: cjrelay.outcomes.
	Topic string `koanf:"topic"`
}

func defaultOrders() Orders {
	return Orders{
		Topic:                  "order.confirmed",
		Group:                  "cjrelay",
		Format:                 Avro,
		MaxPending:             10_000,
		MaxPendingPerPartition: 2_000,
		MaxPendingBytes:        64 * MiB,
		MaxOrderBytes:          MiB,
	}
}

func defaultClicks() Clicks {
	return Clicks{
		Topic: "cjevent", Format: Avro, Join: JoinGlobal, Partitioner: Murmur2, Window: 395 * day, Dir: "./data", Memory: 256 * MiB,
	}
}

func (o Orders) check(c *checker) {
	c.kafkaName("orders.topic", o.Topic)
	c.group("orders.group", o.Group)
	c.oneOf("orders.format", o.Format, Avro, JSON)
	if _, isTime := o.StartTime(); o.Start != "" && o.Start != StartEarliest && o.Start != StartLatest && !isTime {
		c.add("orders.start", shown(o.Start), "must be earliest, latest or a time with a zone",
			"write a time like 2026-03-27T00:00:00Z")
	}
	within(c, "orders.max_pending", o.MaxPending, 1, 1_000_000)
	within(c, "orders.max_pending_per_partition", o.MaxPendingPerPartition, 1, 1_000_000)
	if o.MaxPendingPerPartition > o.MaxPending {
		c.add("orders.max_pending_per_partition", shown(o.MaxPendingPerPartition),
			"must not exceed orders.max_pending ("+shown(o.MaxPending)+")", "lower it or raise orders.max_pending")
	}
	within(c, "orders.max_pending_bytes", o.MaxPendingBytes, MiB, 64*GiB)
	within(c, "orders.max_order_bytes", o.MaxOrderBytes, KiB, 64*MiB)
	if o.MaxPendingBytes < o.MaxOrderBytes {
		c.add("orders.max_pending_bytes", shown(o.MaxPendingBytes),
			"must hold at least one order of orders.max_order_bytes ("+shown(o.MaxOrderBytes)+")",
			"raise it or lower orders.max_order_bytes")
	}
}

func (k Clicks) check(c *checker) {
	c.kafkaName("clicks.topic", k.Topic)
	c.oneOf("clicks.format", k.Format, Avro, JSON, BareClick)
	c.oneOf("clicks.join", k.Join, JoinGlobal, JoinCopartitioned)
	c.oneOf("clicks.partitioner", k.Partitioner, Murmur2, CRC32)
	within(c, "clicks.window", k.Window, time.Minute, 3650*day)
	if strings.TrimSpace(k.Dir) == "" {
		c.missing("clicks.dir", "a directory is needed", "leave it out for ./data")
	}
	within(c, "clicks.memory", k.Memory, 32*MiB, 64*GiB)
}

// checkTopics refuses topics that are the same: a dead letter in the order topic would be read as an order,
// fail again, and fill the topic without end.
func (cfg Config) checkTopics(c *checker) {
	c.kafkaName("dead_letter.topic", cfg.DeadLetter.Topic)
	c.kafkaName("outcomes.topic", cfg.Outcomes.Topic)
	owner := map[string]string{}
	for _, topic := range []struct{ key, name string }{
		{"orders.topic", cfg.Orders.Topic},
		{"clicks.topic", cfg.Clicks.Topic},
		{"dead_letter.topic", cfg.DeadLetter.Topic},
		{"outcomes.topic", cfg.Outcomes.Topic},
	} {
		if other, taken := owner[topic.name]; taken && topic.name != "" {
			c.add(topic.key, shown(topic.name), "is already "+other, "give each of the four topics its own name")
			continue
		}
		owner[topic.name] = topic.key
	}
}
