package capture

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// The names of the troubles.
const (
	troubleKafka    = "kafka"
	troubleRegistry = "registry"
	troubleSpool    = "spool"
	troubleRoom     = "room"
)

// sayAgain is how often a trouble that lasts is logged.
const sayAgain = 30 * time.Second

// troubles holds what keeps clicks from getting on, by name, and logs it when it begins, while it lasts and when it
// ends. It is safe for concurrent use.
type troubles struct {
	log *slog.Logger

	mu      sync.Mutex
	now     map[string]*trouble
	serving bool
}

type trouble struct {
	err error
	// said is when it was logged last, and times how often it came since.
	said  time.Time
	times int
}

func newTroubles(log *slog.Logger) *troubles { return &troubles{log: log, now: map[string]*trouble{}} }

// note says that a trouble is there, or still there.
func (t *troubles) note(name string, err error) {
	if times, say := t.noted(name, err); say {
		t.log.Warn("clicks are held up", "by", name, "error", err, "times", times)
	}
}

// suspect says that a trouble is there, unless one of that name is known: that says more than that something is slow.
func (t *troubles) suspect(name string, err error) {
	t.mu.Lock()
	_, known := t.now[name]
	t.mu.Unlock()
	if !known {
		t.note(name, err)
	}
}

// noted tells whether to log it, and how often it came since that was done. Logging itself may take long, and requests
// wait for the lock.
func (t *troubles) noted(name string, err error) (times int, say bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	current, known := t.now[name]
	if !known {
		current = &trouble{}
		t.now[name] = current
	}
	current.err = err
	current.times++
	if at := time.Now(); at.Sub(current.said) >= sayAgain {
		times, current.times, current.said = current.times, 0, at
		return times, true
	}
	return 0, false
}

// over says that it has ended.
func (t *troubles) over(name string) {
	t.mu.Lock()
	_, known := t.now[name]
	delete(t.now, name)
	t.mu.Unlock()
	if known {
		t.log.Info("clicks are not held up any more", "by", name)
	}
}

func (t *troubles) running(yes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serving = yes
}

func (t *troubles) ready() []Check {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.serving {
		return []Check{{"capture", errors.New("not started, or stopping")}}
	}
	return []Check{{"capture", nil}}
}

func (t *troubles) list() []Check {
	t.mu.Lock()
	defer t.mu.Unlock()
	var checks []Check
	for _, name := range []string{troubleKafka, troubleRegistry, troubleSpool, troubleRoom} {
		check := Check{Name: name}
		if current, known := t.now[name]; known {
			check.Err = current.err
		}
		checks = append(checks, check)
	}
	return checks
}
