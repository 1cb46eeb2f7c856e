package capture

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// Such orders find no click: that must show somewhere.
func TestSessionCookieThatCannotBeReadIsCounted(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"JSON": `{"id":1}`, "Backslash": `a\b`, "Unicode": "sé"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			request := httptest.NewRequest(http.MethodGet, shop+"/?cjevent="+clickA, nil)
			request.Header.Set("Cookie", "a=b; xsid=1;  sid="+value)
			b.Catch(request, http.Header{})
			require.Equal(t, 1.0, b.metric("refused_total{illegal_session}"))
			require.True(t, isOwnSession(b.queuedSessions()[0]))

			b.Catch(httptest.NewRequest(http.MethodGet, shop+"/?cjevent="+clickA, nil), http.Header{"Set-Cookie": {"sid=" + value + "; Path=/"}})
			require.Equal(t, 2.0, b.metric("refused_total{illegal_session}"))
		})
	}
	for name, line := range map[string]string{"None": "a=b", "Empty": "sid=", "AnotherName": `xsid={"a"}; sid2={"a"}`, "NoValue": "sid"} {
		t.Run("Not"+name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			request := httptest.NewRequest(http.MethodGet, shop+"/?cjevent="+clickA, nil)
			request.Header.Set("Cookie", line)
			b.Catch(request, http.Header{})
			require.Zero(t, b.metric("refused_total{illegal_session}"))
		})
	}
}
