package config

import (
	"net"
	"strconv"
	"time"
)

// Kafka is the cluster and how cjrelay takes part in its consumer group.
type Kafka struct {
	// Brokers are the addresses to start from, as host:port; the client learns the others from them. Two or
	// three let a process start while one broker is down. Default: [127.0.0.1:9092].
	Brokers []string `koanf:"brokers"`
	// ClientID is the name under which brokers log, meter and throttle this client. Letters, digits, dots,
	// dashes and underscores, at most 249. Default: cjrelay.
	ClientID string `koanf:"client_id"`
	// SessionTimeout is how long the group waits for a silent process before it gives its partitions to
	// others. Shorter takes over faster after a crash; too short and a garbage collection or a slow network
	// looks like a crash, and orders in flight are sent twice. Range 6s to 30m, what brokers allow unless
	// told otherwise. Default: 45s.
	SessionTimeout time.Duration `koanf:"session_timeout"`
	// RebalanceTimeout is how long a process may take to hand partitions over. It must be longer than
	// delivery.drain, or the group goes on without the process while it still waits for CJ, and its last
	// commit is refused. Range 2s to 1h. Default: 60s.
	RebalanceTimeout time.Duration `koanf:"rebalance_timeout"`
	// InstanceID makes the process a static member: a restart within the session time-out keeps its
	// partitions without a rebalance. The price is that nobody takes over before that time-out. It must be
	// different for every process, for example the pod's name. Default: none.
	InstanceID string `koanf:"instance_id"`
}

// Registry is the schema registry. It is needed only where a topic is in Avro.
type Registry struct {
	// URL is the registry's address, http or https, without credentials. Needed when orders.format or
	// clicks.format is avro. Default: none.
	URL string `koanf:"url"`
	// Timeout bounds one request to the registry. A schema is asked for once, so this is felt only when a
	// schema is new; a registry that is down delays orders and never fails them. Range 100ms to 5s.
	// Default: 5s.
	Timeout time.Duration `koanf:"timeout"`
}

func defaultKafka() Kafka {
	return Kafka{
		Brokers:          []string{"127.0.0.1:9092"},
		ClientID:         "cjrelay",
		SessionTimeout:   45 * time.Second,
		RebalanceTimeout: 60 * time.Second,
	}
}

func defaultRegistry() Registry { return Registry{Timeout: 5 * time.Second} }

func (k Kafka) check(c *checker) {
	if len(k.Brokers) == 0 {
		c.missing("kafka.brokers", "at least one broker is needed", "list them as host:port")
	}
	for _, broker := range k.Brokers {
		if !isHostPort(broker) {
			c.add("kafka.brokers", shown(broker), "must be host:port, without a scheme",
				"write it like broker-1.example.com:9092, one list entry a broker")
		}
	}
	c.kafkaName("kafka.client_id", k.ClientID)
	if k.InstanceID != "" {
		c.kafkaName("kafka.instance_id", k.InstanceID)
	}
	within(c, "kafka.session_timeout", k.SessionTimeout, 6*time.Second, 30*time.Minute)
	within(c, "kafka.rebalance_timeout", k.RebalanceTimeout, 2*time.Second, time.Hour)
}

func (r Registry) check(c *checker) {
	within(c, "registry.timeout", r.Timeout, 100*time.Millisecond, 5*time.Second)
	if r.URL == "" {
		return
	}
	if problem := webAddressProblem(r.URL); problem != "" {
		c.add("registry.url", shownURL(r.URL), problem, "write it like http://registry.example.com:8081")
	}
}

// isHostPort accepts a host name or address with a port from 1 to 65535. An IPv6 address needs brackets.
func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return false
	}
	for _, r := range host {
		if r <= ' ' || r == '/' || r == ',' || r == '@' {
			return false
		}
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number > 0
}
