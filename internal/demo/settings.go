package demo

import (
	"time"

	"github.com/cjrelay/cjrelay/internal/config"
)

// settings are the relay's. They are the defaults, with times that suit a demo: what takes production a
// minute to notice or to wait for takes it a second here.
func settings(brokers []string, registry, endpoint, dir string, timeout time.Duration) config.Config {
	cfg := config.Default()
	cfg.Kafka.Brokers = brokers
	cfg.Kafka.SessionTimeout = 10 * time.Second
	cfg.Kafka.RebalanceTimeout = 10 * time.Second
	cfg.Registry.URL = registry
	cfg.Orders.Start = config.StartEarliest
	cfg.Clicks.Dir = dir
	cfg.Clicks.Window = window
	cfg.CJ.Endpoint = endpoint
	cfg.CJ.EnterpriseID = enterpriseID
	cfg.CJ.Actions = trackers
	cfg.CJ.DefaultAction = defaultAction
	cfg.CJ.Timeout = timeout
	cfg.Delivery.BackoffInitial = 50 * time.Millisecond
	cfg.Delivery.BackoffMax = time.Second
	cfg.Delivery.CommitInterval = 200 * time.Millisecond
	cfg.Delivery.Drain = 3 * time.Second
	cfg.Delivery.ShutdownGrace = 5 * time.Second
	cfg.Breaker.Window = 5 * timeout
	cfg.Breaker.Open = time.Second
	return cfg
}
