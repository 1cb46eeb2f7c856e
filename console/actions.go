package console

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Action does one thing that an operator asks for. path gives what the request has for a wildcard of the action's path.
// The answer goes out as JSON; an error is shown, with 404 where ErrNoSuch is in it and 500 otherwise. It is called by
// several requests at once, and must not wait.
type Action func(path func(wildcard string) string) (answer any, err error)

// ErrNoSuch is in the error of an Action for something that there is not.
var ErrNoSuch = errors.New("there is no such thing")

// act does an action and logs who asked for it.
func (s *Server) act(action Action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		log := s.config.Log.With("action", r.URL.Path, "remote", r.RemoteAddr)
		answer, err := action(r.PathValue)
		if err != nil {
			log.Warn("operator action failed", "error", err)
			status := http.StatusInternalServerError
			if errors.Is(err, ErrNoSuch) {
				status = http.StatusNotFound
			}
			http.Error(w, err.Error(), status)
			return
		}
		log.Warn("operator action", "answer", answer)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}
}
