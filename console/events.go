package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// eventEvery is how often the state is sent to a page that is open.
const eventEvery = time.Second

// events sends the state as server-sent events, until the page goes away or the process stops.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	connection := http.NewResponseController(w)
	ticker := time.NewTicker(eventEvery)
	defer ticker.Stop()
	for {
		text, err := json.Marshal(s.state())
		if err != nil {
			return
		}
		// The port's own bound on writing is for one answer, and this one never ends.
		if connection.SetWriteDeadline(time.Now().Add(writeTimeout)) != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil || connection.Flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		}
	}
}
