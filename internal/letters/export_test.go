package letters_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/schema"
)

func TestExportAndMend(t *testing.T) {
	t.Parallel()
	p := open(t, kafkatest.Start(t), nil)
	p.die(t,
		dead{offset: 0, reason: "malformed", value: "{\x00\xff"},
		dead{offset: 1, reason: "malformed", value: "also"},
		dead{offset: 2, reason: "malformed", value: "removed"},
		dead{offset: 3, reason: "too_large"},
	)
	dir := filepath.Join(t.TempDir(), "letters")
	written, err := p.box(t).Export(t.Context(), p.waiting(t), dir, "json")
	require.NoError(t, err)
	require.Len(t, written, 3)
	file := filepath.Join(dir, "0-0.json")
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "{\x00\xff", string(raw))
	for path, mode := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, file: 0o600, filepath.Join(dir, "manifest.json"): 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), path)
	}
	_, err = p.box(t).Export(t.Context(), p.waiting(t), dir, "json")
	require.ErrorContains(t, err, "is not empty")

	mended, err := letters.ReadMended(dir, p.dlq)
	require.NoError(t, err)
	require.Empty(t, mended, "nobody has mended anything yet")
	require.NoError(t, os.WriteFile(file, []byte(order("ORD-0")), 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, "0-2.json")))
	mended, err = letters.ReadMended(dir, p.dlq)
	require.NoError(t, err)
	first := letters.Place{Topic: p.dlq, Partition: 0, Offset: 0}
	sum := sha256.Sum256([]byte("{\x00\xff"))
	require.Equal(t, map[letters.Place]letters.Mended{first: {Value: []byte(order("ORD-0")), Original: hex.EncodeToString(sum[:])}}, mended)

	r := p.redriver()
	r.Mended = mended
	_, _, err = r.Run(t.Context(), p.box(t).Choose(letters.Selection{Named: []string{"0/0"}}))
	require.NoError(t, err)
	record := p.Read(t, p.orders)[0]
	require.Equal(t, order("ORD-0"), string(record.Value))
	require.Equal(t, hex.EncodeToString(sum[:]), headersOf(record)["cjrelay-mended"])

	other := mended[first]
	other.Original = "of another topic"
	r.Mended = map[letters.Place]letters.Mended{{Topic: p.dlq, Partition: 0, Offset: 1}: other}
	_, _, err = r.Run(t.Context(), p.waiting(t))
	require.ErrorContains(t, err, "does not hold what was exported")
}

func TestReadMendedRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ manifest, text string }{
		"NoManifest":      {"", "has no manifest.json"},
		"NoJSON":          {"{", "is not a manifest"},
		"AnotherVersion":  {`{"v":2,"topic":"dlq","letters":[]}`, "is not a manifest of this version"},
		"AnotherTopic":    {`{"v":1,"topic":"other","letters":[]}`, "holds letters of topic other, and dead_letter.topic is dlq"},
		"AFileSomewhere":  {`{"v":1,"topic":"dlq","letters":[{"file":"../../etc/passwd"}]}`, "which is not in the folder"},
		"AFileThatIsADir": {`{"v":1,"topic":"dlq","letters":[{"file":"."}]}`, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if test.manifest != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(test.manifest), 0o600))
			}
			_, err := letters.ReadMended(dir, "dlq")
			require.ErrorContains(t, err, test.text)
		})
	}
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	const click = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
	text := letters.Redacted([]byte(`{"order_id":"ORD-1","session_id":"me@example.com","confirmed_at":"2026-03-27T11:02:07Z","amount":22.99,
		"items":[{"sku":"SKU-1","unit_price":"1.00","quantity":2,"engraving":"For Ann","cjevent":"` + click + `"}],"coupons":["TEN",null],"cjevent":"` + click + `",
		"CJEVENT":"` + click + `","attributes":{"cjevent":"` + click + `","note":"Ann Other","n":4711},"phone":5550199,"ship":{"order_id":"12 Main St"},
		"order_id":{"order_id":"nested"},"consent":true,"empty":{},"none":[],"order_id@x":1,"` + click + `":2}`))
	require.Equal(t, `{
  "order_id": "ORD-1",
  "session_id": (14 characters, first bad character '@' at position 3),
  "confirmed_at": "2026-03-27T11:02:07Z",
  "amount": 22.99,
  "items": [
    {
      "sku": "SKU-1",
      "unit_price": "1.00",
      "quantity": 2,
      "engraving": (7 characters),
      "cjevent": (32 characters)
    }
  ],
  "coupons": [
    "TEN",
    null
  ],
  "cjevent": (32 characters),
  "CJEVENT": (32 characters),
  "attributes": {
    "cjevent": (32 characters),
    "note": (9 characters),
    "n": (4 characters)
  },
  "phone": (7 characters),
  "ship": {
    "order_id": (10 characters)
  },
  "order_id": {
    "order_id": (6 characters)
  },
  "consent": true,
  "empty": {},
  "none": [],
  (10 characters, first bad character '@' at position 9): (1 characters),
  (32 characters): (1 characters)
}`, text)

	for value, want := range map[string]string{
		"":                           "(0 bytes that are not JSON)",
		`{"cjevent":"` + click:       "(44 bytes that are not JSON)",
		`{"a":1}{"b":2}`:             "(14 bytes, with more behind the JSON)",
		`{"a" "b"}`:                  "(9 bytes that are not JSON)",
		`{"order_id":` + click + `}`: "(45 bytes that are not JSON)",
		`"` + click + `"`:            "(32 characters)",
		`["` + click + `"]`:          "[\n  (32 characters)\n]",
		`4111111111111111`:           "(16 characters)",
	} {
		require.Equal(t, want, letters.Redacted([]byte(value)), value)
	}
	require.NotContains(t, letters.Redacted([]byte(strings.Repeat("[", 20_000))), "[")
}

func TestShownAvro(t *testing.T) {
	t.Parallel()
	client, err := sr.NewClient(sr.URLs(kafkatest.Registry(t).URL()))
	require.NoError(t, err)
	decode, err := schema.NewOrderDecoder(schema.FormatAvro, schema.NewRegistry(client))
	require.NoError(t, err)
	amount, err := schema.ParseMoney("22.99")
	require.NoError(t, err)
	value, err := schema.EncodeOrder(kafkatest.OrderSchemaID, &schema.Order{ID: "ORD-1", SessionID: "s-1", ConfirmedAt: noon, Currency: "USD", Amount: &amount, CJEvent: "b7f2a9d4"})
	require.NoError(t, err)
	require.Equal(t, `{
  "order_id": "ORD-1",
  "session_id": "s-1",
  "confirmed_at": "2026-03-27T12:00:00.000Z",
  "currency": "USD",
  "amount": "22.99",
  "cjevent": (8 characters)
}`, letters.Shown(t.Context(), decode, schema.FormatAvro, value))
	require.Equal(t, "(9 bytes of Avro with schema id 1)", letters.Shown(t.Context(), decode, schema.FormatAvro, value[:9]))
	require.Equal(t, "(3 bytes that do not begin as Avro with a schema id)", letters.Shown(t.Context(), decode, schema.FormatAvro, []byte("{ }")))
}
