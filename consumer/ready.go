package consumer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Check is one condition of readiness.
type Check struct {
	Name string
	// Err is nil when the condition holds, otherwise what is wrong in plain words.
	Err error
}

// Ready lists what must hold for this consumer to do its work. An open breaker is not among it: pausing is
// the right work while CJ is down.
func (c *Consumer) Ready() []Check {
	c.mu.Lock()
	// What is wrong with the whole topic is said once.
	var stopped error
	said := map[string]bool{}
	for _, partition := range slices.Sorted(maps.Keys(c.stopped)) {
		if err := c.stopped[partition]; !said[err.Error()] {
			said[err.Error()] = true
			stopped = errors.Join(stopped, err)
		}
	}
	var stalled error
	if c.stalled > 0 {
		stalled = fmt.Errorf("partitions that have orders and make no progress: %d; the log says which", c.stalled)
	}
	c.mu.Unlock()
	return []Check{
		{"kafka", c.health.kafka.lasts()},
		{"group", c.membership()},
		{"clicks", c.config.Clicks.Ready()},
		{"registry", c.health.registry.lasts()},
		{"endpoint", c.health.endpoint.lasts()},
		{"sending", c.heldByOperator()},
		{"outcomes", c.health.outcomes.lasts()},
		{"dead_letters", c.health.deadLetters.lasts()},
		{"commits", c.health.commits.lasts()},
		{"decode", c.rules[stageDecode].trouble()},
		{"partition", c.rules[stagePartition].trouble()},
		{"build", c.rules[stageBuild].trouble()},
		{"cj", c.rules[stageCJ].trouble()},
		{"offsets", stopped},
		{"progress", stalled},
	}
}

// membership is nil while we take part in the group.
func (c *Consumer) membership() error {
	if err := c.health.group.lasts(); err != nil {
		return err
	}
	if !c.member.Load() {
		return fmt.Errorf("not a member of group %s: it is being joined, or was left", c.config.Group)
	}
	return nil
}

// logReadiness writes a line when a condition begins or ceases to fail, or fails for another cause, since nobody may be
// asking. That the group is being joined and clicks are being read at the start is no news until it lasts.
func (c *Consumer) logReadiness(start, now time.Time) {
	checks := c.Ready()
	if !c.settled {
		waits := slices.ContainsFunc(checks, func(check Check) bool { return check.Err != nil })
		if waits && now.Sub(start) < lasting {
			return
		}
		c.settled = true
		if !waits {
			c.config.Log.Info("ready")
		}
	}
	for _, check := range checks {
		before, failing := c.failing[check.Name]
		switch {
		case check.Err == nil && failing:
			delete(c.failing, check.Name)
			c.config.Log.Info("ready again", "check", check.Name)
		case check.Err != nil && !(failing && before.covers(check.Err, now)):
			c.failing[check.Name] = complaint{of: wordsOf(check.Err), at: now}
			c.config.Log.Warn("not ready", "check", check.Name, "error", check.Err)
		}
	}
}

// complaint is what the log says of a check that fails, and since when.
type complaint struct {
	of string
	at time.Time
}

// causeEvery is how often the log tells at most that a check fails for another cause than before.
const causeEvery = time.Minute

// covers tells whether the log has said so, or has spoken of the check too lately.
func (c complaint) covers(err error, now time.Time) bool {
	return c.of == wordsOf(err) || now.Sub(c.at) < causeEvery
}

// wordsOf is an error without its numbers, which change with every look.
func wordsOf(err error) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, err.Error())
}
