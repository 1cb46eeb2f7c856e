package relay

import (
	"log/slog"

	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/internal/config"
)

// NewReplay is a relay that does a part of the orders once more, in the group that the configuration names.
func NewReplay(cfg config.Config, log *slog.Logger, replay consumer.Replay) (*Relay, error) {
	return assemble(cfg, log, Wiring{}, func(c *consumer.Config) { c.Replay = &replay })
}
