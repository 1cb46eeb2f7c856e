package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	click = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
	other = "00000000000000000000000000000001"
)

// account are the flags that stand in for a configuration.
var account = []string{"preview", "--enterprise-id", "1234567", "--action-tracker-id", "398210"}

// sample is canonical JSON of a valid order with one more member.
func sample(member string) string {
	if member != "" {
		member += ", "
	}
	return `{` + member + `"order_id": "ORD-1", "confirmed_at": "2026-03-27T11:02:07.123Z", "currency": "usd",
		"items": [{"sku": "SKU-1", "unit_price": "22.99", "quantity": 2, "discount": "5.00"}]}`
}

func TestPreviewPrintsTheURLAlone(t *testing.T) {
	got := call(t, sample(""), append(account, "--cjevent", click)...)
	require.Equal(t, exitDone, got.code, got.err)
	require.Empty(t, got.err)
	require.Equal(t, "https://www.emjcd.com/u?CID=1234567&TYPE=398210&METHOD=S2S&CJEVENT="+click+
		"&EVENTTIME=2026-03-27T11%3A02%3A07.123Z&OID=ORD-1&CURRENCY=USD&ITEM1=SKU-1&AMT1=22.99&QTY1=2&DCNT1=5.00\n", got.out)
}

func TestPreviewReadsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "order.json")
	require.NoError(t, os.WriteFile(file, []byte(sample("")), 0o600))
	require.Equal(t, call(t, sample(""), append(account, "--cjevent", click)...).out, call(t, "", append(account, "--cjevent", click, file)...).out)
}

func TestPreviewTakesTheOrdersOwnClickFirst(t *testing.T) {
	clickIn := func(got result) string {
		query, err := url.Parse(strings.TrimSpace(got.out))
		require.NoError(t, err, got.err)
		return query.Query().Get("CJEVENT")
	}
	require.Equal(t, click, clickIn(call(t, sample(`"cjevent": "`+click+`"`), append(account, "--cjevent", other)...)))
	require.Equal(t, other, clickIn(call(t, sample(`"cjevent": "not legal!"`), append(account, "--cjevent", other)...)), "an illegal one falls back")
	require.Equal(t, click, clickIn(call(t, sample(`"cjevent": "`+click+`"`), account...)), "no other one is needed")
}

func TestPreviewRefuses(t *testing.T) {
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for name, refused := range map[string]struct{ order, text string }{
		"NoClick":           {sample(""), "cjevent"},
		"NoConsent":         {sample(`"consent": false, "cjevent": "` + click + `"`), "no_consent"},
		"NotJSON":           {"order", "JSON"},
		"TwoOrders":         {sample("") + sample(""), "JSON"},
		"Future":            {fmt.Sprintf(`{"order_id": "O", "confirmed_at": %q, "currency": "USD", "amount": "1", "cjevent": %q}`, future, click), "confirmed_at"},
		"ItemsAndAmount":    {sample(`"amount": "1", "cjevent": "` + click + `"`), "amount"},
		"ReservedAttribute": {sample(`"attributes": {"amt1": "5"}, "cjevent": "` + click + `"`), "amt1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := call(t, refused.order, account...)
			require.Equal(t, exitFailed, got.code)
			require.Empty(t, got.out, "stdout is for the URL alone")
			require.Contains(t, got.err, refused.text)
			require.NotContains(t, got.err, click)
		})
	}
}

func TestPreviewWithoutAnAccountIsAUsageError(t *testing.T) {
	for _, args := range [][]string{{"preview"}, {"preview", "--enterprise-id", "1234567"}, {"preview", "--enterprise-id", "abc", "--action-tracker-id", "1"}} {
		got := call(t, sample(""), args...)
		require.Equal(t, exitUsage, got.code)
		require.Empty(t, got.out)
	}
}

func TestPreviewReadsNoConfigurationThatIsNotNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("cjrelay.yaml", []byte("nonsense: ["), 0o600))
	t.Setenv("CJRELAY_CJ__ENTERPRISE_ID", "999")
	got := call(t, sample(""), append(account, "--cjevent", click)...)
	require.Equal(t, exitDone, got.code, got.err)
	require.Contains(t, got.out, "CID=1234567&")
}

func TestPreviewTakesTheAccountFromAConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cjrelay.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`cj: {endpoint: "http://127.0.0.1:8085/u", enterprise_id: "77", actions: {sale: "1", lead: "2"}, signature: s3cr3t}`), 0o600))
	got := call(t, sample(`"action": "lead"`), "preview", "--config", file, "--cjevent", click)
	require.Equal(t, exitDone, got.code, got.err)
	require.True(t, strings.HasPrefix(got.out, "http://127.0.0.1:8085/u?CID=77&TYPE=2&"), got.out)
	require.Contains(t, got.out, "SIGNATURE=s3cr3t")
	got = call(t, sample(`"action": "lead"`), "preview", "--config", file, "--cjevent", click, "--enterprise-id", "78", "--action-tracker-id", "3")
	require.True(t, strings.HasPrefix(got.out, "http://127.0.0.1:8085/u?CID=78&TYPE=3&"), got.out)
}
