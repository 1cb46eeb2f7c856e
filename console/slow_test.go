package console

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A client that sends or reads slowly, or not at all, is cut off. Else such clients would pile up.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	const get = "GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n"
	tests := map[string]struct {
		// begin is sent at once; then its answer is read, when there is one to read; then trickle is sent
		// each second.
		begin    string
		answered bool
		trickle  string
		after    time.Duration
	}{
		"SaysNothing":        {"", false, "", readHeaderTimeout},
		"EndlessHeader":      {"GET /livez HTTP/1.1\r\nHost: admin\r\nX: ", false, "x", readHeaderTimeout},
		"EndlessBody":        {"POST /livez HTTP/1.1\r\nHost: admin\r\nContent-Length: 1000\r\n\r\n", true, "x", readTimeout},
		"NeverReadsMetrics":  {"GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n", false, "", writeTimeout},
		"KeepsAnIdleOneOpen": {get, true, "", idleTimeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				conn, cutOff, err := setup(t, "127.0.0.1", nil).pipes.open()
				require.NoError(t, err)
				defer conn.Close()
				start := time.Now()
				if test.begin != "" {
					_, err = io.WriteString(conn, test.begin)
					require.NoError(t, err)
				}
				if test.answered {
					response, err := http.ReadResponse(bufio.NewReader(conn), nil)
					require.NoError(t, err)
					_, err = io.Copy(io.Discard, response.Body)
					require.NoError(t, err)
				}
				for over := false; !over; {
					select {
					case <-cutOff:
						over = true
					case <-time.After(time.Second):
						require.Less(t, time.Since(start), time.Hour, "never cut off")
						_ = conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
						if test.trickle != "" {
							_, _ = io.WriteString(conn, test.trickle)
						}
					}
				}
				require.InDelta(t, test.after.Seconds(), time.Since(start).Seconds(), 1)
			})
		})
	}
}
