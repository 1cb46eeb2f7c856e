package postback_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
)

// roundTrip is a transport made of one function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func status(code int, header http.Header) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader("<html>"))}, nil
	}
}

func clientOn(t testing.TB, transport http.RoundTripper) *postback.Client {
	t.Helper()
	client, err := postback.NewClient(postback.ClientConfig{Endpoint: postback.EndpointCJ, Transport: transport})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func query(t testing.TB) postback.Query {
	t.Helper()
	a := advertiser()
	a.Signature = signature
	return build(t, a, simpleOrder(t))
}

func TestEveryStatusHasItsMeaning(t *testing.T) {
	t.Parallel()
	want := map[int]postback.Class{}
	for code := 100; code <= 999; code++ {
		switch code / 100 {
		case 2:
			want[code] = postback.Acknowledged
		case 4:
			want[code] = postback.Rejected
		case 5:
			want[code] = postback.Retry
		default:
			want[code] = postback.Setup
		}
	}
	for _, code := range []int{408, 425, 429} {
		want[code] = postback.Retry
	}
	for _, code := range []int{401, 403, 404, 405, 407} {
		want[code] = postback.Setup
	}
	for code, class := range want {
		answer := clientOn(t, status(code, nil)).Send(t.Context(), query(t))
		require.Equal(t, class, answer.Class, code)
		require.Equal(t, code, answer.Status)
		if class == postback.Acknowledged {
			require.NoError(t, answer.Err)
			continue
		}
		require.ErrorContains(t, answer.Err, strconv.Itoa(code))
	}
}

func TestErrorsOfAnswersSayWhatToDo(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		302: "CJ's endpoint redirects with 302 Found, which is never followed; configure the final address",
		503: "CJ answered 503 Service Unavailable",
		422: "CJ answered 422 Unprocessable Entity",
		499: "CJ answered 499",
	} {
		require.EqualError(t, clientOn(t, status(code, nil)).Send(t.Context(), query(t)).Err, want)
	}
}

func TestClassesNameTheMetricLabels(t *testing.T) {
	t.Parallel()
	var labels []string
	for _, class := range postback.Classes {
		labels = append(labels, class.String())
	}
	require.Equal(t, []string{"acknowledged", "retry", "rejected", "setup", "cancelled"}, labels)
	require.Equal(t, "none", postback.Answer{}.Class.String(), "an answer never filled in is no acknowledgement")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Fri, 27 Mar 2026 11:00:00 GMT"
	for _, test := range []struct {
		name, wish, date string
		want             time.Duration
	}{
		{"None", "", "", 0},
		{"Seconds", "120", "", 2 * time.Minute},
		{"Zero", "0", "", 0},
		{"Negative", "-5", "", 0},
		{"Fraction", "1.5", "", 0},
		{"Garbage", "soon", "", 0},
		{"TooLong", "86401", "", postback.RetryAfterMax},
		{"JustLongEnough", "86400", "", 24 * time.Hour},
		{"BeyondAnyNumber", "99999999999999999999999", "", postback.RetryAfterMax},
		{"WouldOverflowADuration", "9223372036854775807", "", postback.RetryAfterMax},
		{"DateAgainstTheAnswersDate", "Fri, 27 Mar 2026 11:01:30 GMT", date, 90 * time.Second},
		{"DateInThePast", "Fri, 27 Mar 2026 10:59:00 GMT", date, 0},
		{"DateFarAway", "Fri, 27 Mar 2099 11:00:00 GMT", date, postback.RetryAfterMax},
		{"OldDateFormat", "Friday, 27-Mar-26 11:00:05 GMT", date, 5 * time.Second},
		// A bubble's clock starts at midnight UTC, 2000-01-01.
		{"DateAgainstOurClock", "Sat, 01 Jan 2000 00:00:07 GMT", "", 7 * time.Second},
		{"DateAgainstOurClockBesideABadDate", "Sat, 01 Jan 2000 00:00:07 GMT", "today", 7 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				header := http.Header{"Retry-After": {test.wish}, "Date": {test.date}}
				require.Equal(t, test.want, clientOn(t, status(429, header)).Send(t.Context(), query(t)).RetryAfter)
				require.Equal(t, test.want, clientOn(t, status(302, header)).Send(t.Context(), query(t)).RetryAfter)
				require.Zero(t, clientOn(t, status(200, header)).Send(t.Context(), query(t)).RetryAfter)
			})
		})
	}
}
