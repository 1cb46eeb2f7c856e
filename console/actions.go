package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Action does one thing that an operator asks for. asked gives what the request has for a wildcard of the action's path,
// and else what its query has of that name. The answer goes out as JSON; an error is shown, with 404 where ErrNoSuch is
// in it, 400 for ErrMisasked, 409 for ErrConflict and 500 otherwise. It is called by several requests at once, and must
// return soon after ctx ends, which is in 25 seconds at the latest.
type Action func(ctx context.Context, asked func(name string) string) (answer any, err error)

// What may be in the error of an Action.
var (
	// ErrNoSuch: there is no such thing.
	ErrNoSuch = errors.New("there is no such thing")
	// ErrMisasked: the request does not say what it must.
	ErrMisasked = errors.New("this cannot be asked")
	// ErrConflict: as things stand it cannot be done.
	ErrConflict = errors.New("this cannot be done now")
)

// actionPatience is how long an action may take. It leaves time to answer within writeTimeout.
const actionPatience = 25 * time.Second

// act does an action and logs who asked for it.
func (s *Server) act(action Action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		log := s.config.Log.With("action", r.URL.Path, "remote", r.RemoteAddr)
		ctx, cancel := context.WithTimeout(r.Context(), actionPatience)
		defer cancel()
		answer, err := action(ctx, func(name string) string {
			if value := r.PathValue(name); value != "" {
				return value
			}
			return r.URL.Query().Get(name)
		})
		if err != nil {
			log.Warn("operator action failed", "error", err)
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		log.Warn("operator action", "answer", answer)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrNoSuch):
		return http.StatusNotFound
	case errors.Is(err, ErrMisasked):
		return http.StatusBadRequest
	case errors.Is(err, ErrConflict):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}
