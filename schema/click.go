package schema

import (
	"errors"
	"fmt"
	"time"
)

// maxClickID is CJ's limit for CJEVENT, "alphanumeric, up to 64" (docs.cj.com/docs/s2s).
const maxClickID = 64

// Click is one CJ click id with the time it was caught. A value; safe to copy and to read concurrently.
type Click struct {
	// ID is the cjevent exactly as CJ gave it: 1 to 64 of A-Z, a-z, 0-9, see ValidClickID.
	ID string
	// CapturedAt is when the shopper landed, in UTC. It may lie in the future: the join deals with that.
	CapturedAt time.Time
}

// ValidClickID returns nil when id is 1 to 64 of A-Z, a-z and 0-9, which is what CJ documents for CJEVENT.
// Otherwise the error says what is wrong without showing the id.
func ValidClickID(id string) error {
	if id == "" {
		return errors.New("click id is empty")
	}
	for i := range len(id) {
		if !clickIDBytes[id[i]] {
			return fmt.Errorf("click id %s: must be letters A-Z, a-z and digits only", Hidden(id, clickIDRune))
		}
	}
	if len(id) > maxClickID {
		return fmt.Errorf("click id %s: must be at most %d characters", Hidden(id, nil), maxClickID)
	}
	return nil
}

// clickIDBytes is clickIDRune as a table. Letters and digits alternate at random in a click id, so that comparing
// costs a mispredicted branch every few characters.
var clickIDBytes = func() (legal [256]bool) {
	for b := range legal {
		legal[b] = clickIDRune(rune(b))
	}
	return legal
}()

func clickIDRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z'
}
