package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Asked says which orders somebody wants to see. Every field that is not empty must fit.
type Asked struct {
	// OrderID is a whole order id; Part is a part of one, in any case.
	OrderID, Part string
	// Only is "unfinished" for orders without an outcome, or an outcome.
	Only string
}

// Order is what a process has seen of one order. Its JSON is an element of the answer of /orders: fields may be added.
type Order struct {
	// OrderID is empty where the record could not be read that far. /orders tells it by its length where it is an e-mail
	// address.
	OrderID   string    `json:"order_id"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Produced  time.Time `json:"produced"`
	// Outcome and Reason are empty while it has none, and Doing is what it is at then.
	Outcome string `json:"outcome,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Doing   string `json:"doing,omitempty"`
	// URL is what CJ got or would get, without the click id and the signature.
	URL string `json:"url,omitempty"`
	// Steps are in the order of time; Omitted were left out after the first few.
	Steps   []Step `json:"steps"`
	Omitted int    `json:"omitted,omitempty"`
}

// Step is something that happened to an order.
type Step struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	// Status is CJ's HTTP status of an attempt, 0 when there was no answer.
	Status    int     `json:"status,omitempty"`
	LatencyMS float64 `json:"latency_ms,omitempty"`
	Detail    string  `json:"detail,omitempty"`
}

// ordersShown is how many orders /orders answers at most.
const ordersShown = 200

// onlyOnes are what ?only= may be.
var onlyOnes = []string{"unfinished", string(schema.Acknowledged), string(schema.Unattributed), string(schema.Duplicate), string(schema.DeadLetter), string(schema.Parked)}

// orders answers /orders: ?id= a whole order id, ?q= a part of one, ?only= unfinished or an outcome, &limit= up to 200.
func (s *Server) orders(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	limit := ordersShown
	if text := asked.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > ordersShown {
			http.Error(w, "limit must be 1 to "+strconv.Itoa(ordersShown), http.StatusBadRequest)
			return
		}
		limit = n
	}
	if only := asked.Get("only"); only != "" && !slices.Contains(onlyOnes, only) {
		http.Error(w, "only must be one of "+strings.Join(onlyOnes, ", "), http.StatusBadRequest)
		return
	}
	found := s.config.Relay.Orders(Asked{OrderID: asked.Get("id"), Part: asked.Get("q"), Only: asked.Get("only")}, limit)
	shown := make([]Order, len(found))
	for i, order := range found {
		if strings.ContainsRune(order.OrderID, '@') {
			order.OrderID = schema.Hidden(order.OrderID, nil)
		}
		shown[i] = order
	}
	writeJSON(w, shown)
}

// Fits tells whether an order is one that is asked for.
func (a Asked) Fits(orderID, outcome string) bool {
	switch {
	case a.OrderID != "" && a.OrderID != orderID,
		a.Part != "" && !strings.Contains(strings.ToLower(orderID), strings.ToLower(a.Part)),
		a.Only == "unfinished" && outcome != "",
		a.Only != "" && a.Only != "unfinished" && a.Only != outcome:
		return false
	}
	return true
}
