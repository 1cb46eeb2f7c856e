package console

import (
	"fmt"
	"net/http"
	"strings"
)

// Check is one condition of readiness.
type Check struct {
	Name string
	// Err is nil when the condition holds. Its text is shown to everybody.
	Err error
}

// readyz answers 200 when every check holds and 503 otherwise. ?verbose lists them all; without it only
// what is wrong is listed. Each check is one line. A trouble is shown with [!] and leaves the answer as it is.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	status, verdict := http.StatusOK, "ready"
	verbose := r.URL.Query().Has("verbose")
	for _, check := range s.config.Ready() {
		switch {
		case check.Err != nil:
			status, verdict = http.StatusServiceUnavailable, "not ready"
			fmt.Fprintf(&text, "[-] %s: %s\n", check.Name, strings.ReplaceAll(check.Err.Error(), "\n", "; "))
		case verbose:
			fmt.Fprintf(&text, "[+] %s\n", check.Name)
		}
	}
	if s.config.Troubles != nil {
		for _, trouble := range s.config.Troubles() {
			switch {
			case trouble.Err != nil:
				fmt.Fprintf(&text, "[!] %s: %s\n", trouble.Name, strings.ReplaceAll(trouble.Err.Error(), "\n", "; "))
			case verbose:
				fmt.Fprintf(&text, "[+] %s\n", trouble.Name)
			}
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s%s\n", text.String(), verdict)
}
