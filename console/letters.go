package console

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// AskedLetters says which dead letters somebody wants to see. Every field that is set must fit.
type AskedLetters struct {
	// Reason is the letters', Part a part of their orders' ids in any case.
	Reason, Part string
	// Redriven asks for those that were sent again, rather than those that wait.
	Redriven bool
	// Limit is how many of the latest are wanted, 1 to 200.
	Limit int
}

// Letters are dead letters of all processes. Its JSON is the answer of /letters: fields may be added to it and to what
// is in it.
type Letters struct {
	Topic string `json:"topic"`
	// Letters are latest first. Never nil.
	Letters []Letter `json:"letters"`
	// Waiting is how many wait in all, by reason, and Stuck how many of them are not sent again as they are. Neither
	// map is nil.
	Waiting map[string]int `json:"waiting"`
	Stuck   map[string]int `json:"stuck"`
	// Redriven is how many were sent again, Foreign how many records of the topic are not cjrelay's, and Unnamed how many
	// are shown without their order's id since the schema registry does not answer.
	Redriven int `json:"redriven"`
	Foreign  int `json:"foreign"`
	Unnamed  int `json:"unnamed"`
	// Unread is how many offsets of the topic have still to be read: ask again, and more are. Passed is how many of the
	// oldest are not looked at, since there are too many.
	Unread int64 `json:"unread"`
	Passed int64 `json:"passed"`
}

// Letter is a dead letter without the order's bytes.
type Letter struct {
	// Letter is its own place, Order where the order's record stood.
	Letter Place `json:"letter"`
	Order  Place `json:"order"`
	// OrderID is empty where it cannot be read, and told by its length where it is an e-mail address.
	OrderID string `json:"order_id"`
	// Reason is one of the outcome's kind dead_letter, parked or too_large; Error tells more.
	Reason string `json:"reason"`
	Error  string `json:"error"`
	// Attempts is how many requests were made, Status what CJ answered the last one, or 0.
	Attempts int       `json:"attempts"`
	Status   int       `json:"status"`
	At       time.Time `json:"at"`
	// Redrives is how often the order had been sent again before.
	Redrives int `json:"redrives"`
	// Waits: it was not sent again. Stuck says why it cannot be as it is, empty where it can.
	Waits bool   `json:"waits"`
	Stuck string `json:"stuck,omitempty"`
	// Redriven is where its order went, and when; absent while it waits.
	Redriven *Redriven `json:"redriven,omitempty"`
}

// Place is where a record stands.
type Place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Redriven tells that a letter was sent again.
type Redriven struct {
	To Place     `json:"to"`
	At time.Time `json:"at"`
}

const (
	// lettersShown is how many letters /letters answers at most.
	lettersShown = 200
	// lettersPatience is how long Kafka may take for /letters. It is shorter than writeTimeout.
	lettersPatience = 15 * time.Second
)

// letters answers /letters: ?reason=, ?q= a part of an order's id, ?redriven=1 for those that were sent again, &limit=
// up to 200.
func (s *Server) letters(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	asked := AskedLetters{Reason: query.Get("reason"), Part: query.Get("q"), Limit: lettersShown}
	switch query.Get("redriven") {
	case "", "0":
	case "1":
		asked.Redriven = true
	default:
		http.Error(w, "redriven must be 0 or 1", http.StatusBadRequest)
		return
	}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > lettersShown {
			http.Error(w, "limit must be 1 to "+strconv.Itoa(lettersShown), http.StatusBadRequest)
			return
		}
		asked.Limit = n
	}
	ctx, cancel := context.WithTimeout(r.Context(), lettersPatience)
	defer cancel()
	found, err := s.config.Letters(ctx, asked)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, found)
}
