package edge

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a shop sends that is no HTTP may hold anything.
func TestLogShowsNothingOfWhatTheShopSends(t *testing.T) {
	t.Parallel()
	const private = "sid=f3a9-private-jane@example.com"
	for name, test := range map[string]struct{ answer, says string }{
		"HeaderWithoutAColon": {"HTTP/1.1 200 OK\r\nSet-Cookie " + private + "\r\n\r\n", "malformed MIME header"},
		"NoHTTP":              {"click " + private + " again\r\n\r\n", "malformed HTTP"},
		"Length":              {"HTTP/1.1 200 OK\r\nContent-Length: " + private + "\r\n\r\n", "bad Content-Length"},
		"Trailer":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum " + private + "\r\n\r\n", "malformed MIME header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				connection, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					panic(err)
				}
				defer connection.Close()
				_, _ = io.WriteString(connection, test.answer)
			}))
			response, err := shopper(t).Get(s.url("/"))
			if err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
			await(t, "it says what is wrong", func() bool { return strings.Contains(s.log.String(), test.says) })
			require.NotContains(t, s.log.String(), "private")
		})
	}
}

func TestLogKeepsWhatNobodySent(t *testing.T) {
	t.Parallel()
	log := &logText{}
	lines := serverLog(slog.New(slog.NewTextHandler(log, nil)))
	lines.Print(`http: panic serving 127.0.0.1:1: reading "settings": a stack`)
	require.Contains(t, log.String(), "a stack")
}
