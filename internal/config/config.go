package config

// Config is one complete configuration: Default with a file and the environment laid over it. The zero
// value is not usable; start from Default or Load. Values are read only after Validate and may then be
// shared by many goroutines.
//
// Every field below is one key of the file, spelled as in its tag.
type Config struct {
	// Kafka is the cluster and how cjrelay takes part in its consumer group.
	Kafka Kafka `koanf:"kafka"`
	// Registry is the schema registry of topics in Avro.
	Registry Registry `koanf:"registry"`
	// Orders is the topic of confirmed orders, and how many of them are held in memory.
	Orders Orders `koanf:"orders"`
	// Clicks is the compacted topic of CJ clicks that orders are joined with.
	Clicks Clicks `koanf:"clicks"`
	// DeadLetter is where orders go that cannot be sent.
	DeadLetter DeadLetter `koanf:"dead_letter"`
	// Outcomes is where the outcome of every order is written.
	Outcomes Outcomes `koanf:"outcomes"`
	// CJ is the account at CJ and its endpoint.
	CJ CJ `koanf:"cj"`
	// Delivery is how fast orders are sent, tried again and committed.
	Delivery Delivery `koanf:"delivery"`
	// Breaker is when CJ counts as down, and how it is tried again.
	Breaker Breaker `koanf:"breaker"`
	// Capture is the shop's edge, where clicks are caught.
	Capture Capture `koanf:"capture"`
	// Admin is the port for health, metrics and the console.
	Admin Admin `koanf:"admin"`
	// Log is what is logged to stderr, and in which form.
	Log Log `koanf:"log"`
}

// Default returns the configuration that holds without file and environment. Keys that only the user can
// know (enterprise id, action trackers, the cookie domain) are empty in it.
func Default() Config {
	return Config{
		Kafka:      defaultKafka(),
		Registry:   defaultRegistry(),
		Orders:     defaultOrders(),
		Clicks:     defaultClicks(),
		DeadLetter: DeadLetter{Topic: "order.confirmed.dlq"},
		Outcomes:   Outcomes{Topic: "cjrelay.outcomes"},
		CJ:         defaultCJ(),
		Delivery:   defaultDelivery(),
		Breaker:    defaultBreaker(),
		Capture:    defaultCapture(),
		Admin:      Admin{Listen: "127.0.0.1:9644"},
		Log:        Log{Level: "info", Format: "text"},
	}
}
