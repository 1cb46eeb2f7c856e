package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const fakeCJOrder = "CID=1234567&TYPE=398210&METHOD=S2S&CJEVENT=b7f2a9d4c1e836b0f92d4a1c5e7b8a39&EVENTTIME=2024-01-15T18:08:36Z&CURRENCY=USD&AMOUNT=156.97&OID="

// serveFakeCJ runs the verb, hands its endpoint to use, stops it and returns what it printed.
func serveFakeCJ(t *testing.T, c fakeCJCmd, use func(endpoint string)) (stdout, stderr string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	var out strings.Builder
	done := make(chan error, 1)
	go func() {
		done <- c.Run(ctx, &stdio{Out: &out, Err: writer})
		writer.Close()
	}()
	lines := bufio.NewReader(reader)
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	endpoint := strings.TrimSpace(strings.TrimPrefix(first, "fake CJ takes postbacks at "))
	rest := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(lines)
		rest <- string(text)
	}()
	use(endpoint)
	stop()
	require.NoError(t, <-done)
	return out.String(), first + <-rest
}

func fakeCJStatus(t *testing.T, url string) int {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get(url)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestFakeCJ(t *testing.T) {
	t.Parallel()
	t.Run("PrintsASummary", func(t *testing.T) {
		t.Parallel()
		stdout, stderr := serveFakeCJ(t, fakeCJCmd{Listen: "127.0.0.1:0", Script: "order=ORD-2 status=503", Output: "text"}, func(endpoint string) {
			require.Equal(t, 200, fakeCJStatus(t, endpoint+"?"+fakeCJOrder+"ORD-1"))
			require.Equal(t, 200, fakeCJStatus(t, endpoint+"?"+fakeCJOrder+"ORD-1"))
			require.Equal(t, 503, fakeCJStatus(t, endpoint+"?"+fakeCJOrder+"ORD-2"))
			require.Equal(t, 400, fakeCJStatus(t, endpoint+"?"+fakeCJOrder))
		})
		require.Equal(t, "requests      4\nacknowledged  1\nduplicates    1\nrefused       1\nstatus 200    2\nstatus 400    1\nstatus 503    1\n", stdout)
		require.Contains(t, stderr, "/_cjtest/received")
		require.Equal(t, 2, strings.Count(stderr, "\n"), "no line for a request unless asked for")
	})
	t.Run("PrintsJSON", func(t *testing.T) {
		t.Parallel()
		stdout, _ := serveFakeCJ(t, fakeCJCmd{Listen: "127.0.0.1:0", Silent: true, Output: "json"}, func(endpoint string) {
			require.Equal(t, 200, fakeCJStatus(t, endpoint+"?"+fakeCJOrder))
		})
		require.JSONEq(t, `{"requests":1,"acknowledged":0,"duplicates":0,"refused":1,"by_status":{"200":1}}`, stdout)
	})
	t.Run("PrintsALineForEachRequestWithoutItsClick", func(t *testing.T) {
		t.Parallel()
		_, stderr := serveFakeCJ(t, fakeCJCmd{Listen: "127.0.0.1:0", Verbose: true, EnterpriseID: []string{"7654321"}}, func(endpoint string) {
			require.Equal(t, 400, fakeCJStatus(t, endpoint+"?"+fakeCJOrder+"ORD-1"))
		})
		require.Contains(t, stderr, ` 400 refused "ORD-1" 156.97: CID "1234567": is unknown here: send 7654321`)
		require.NotContains(t, stderr, "b7f2a9d4")
	})
	t.Run("RefusesABadScript", func(t *testing.T) {
		t.Parallel()
		err := (&fakeCJCmd{Script: "boil"}).Run(t.Context(), &stdio{})
		var usage *usageError
		require.ErrorAs(t, err, &usage)
		require.ErrorContains(t, err, "--script: script rule 1: boil is no word")
	})
	t.Run("NamesTheWayOutWhenTheAddressIsTaken", func(t *testing.T) {
		t.Parallel()
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer taken.Close()
		err = (&fakeCJCmd{Listen: taken.Addr().String()}).Run(t.Context(), &stdio{})
		require.ErrorContains(t, err, "fake CJ cannot listen")
		require.ErrorContains(t, err, "--listen HOST:PORT")
	})
}
