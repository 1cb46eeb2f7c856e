package capture

import (
	"errors"
	"math"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

func TestConfigIsRefusedWithTheField(t *testing.T) {
	t.Parallel()
	anything := regexp.MustCompile("x")
	tests := map[string]struct {
		change func(*Config)
		field  string
	}{
		"NoEncoder":           {func(c *Config) { c.Encode = nil }, "encode"},
		"NoDirectory":         {func(c *Config) { c.Spool.Dir = "" }, "spool_dir"},
		"SmallSpool":          {func(c *Config) { c.Spool.MaxBytes = SpoolBytesMin - 1 }, "spool_max_bytes"},
		"LongWait":            {func(c *Config) { c.DurableWait = time.Minute }, "durable_wait"},
		"NegativeWait":        {func(c *Config) { c.DurableWait = -1 }, "durable_wait"},
		"NegativeDrain":       {func(c *Config) { c.Drain = -1 }, "drain"},
		"NegativeBurst":       {func(c *Config) { c.ClientBurst = -1 }, "client_rate"},
		"NoRate":              {func(c *Config) { c.ClientRate = math.NaN() }, "client_rate"},
		"CookieName":          {func(c *Config) { c.SessionCookie = "a b" }, "session_cookie"},
		"OurCookie":           {func(c *Config) { c.SessionCookie = "cje" }, "session_cookie"},
		"OurCompanion":        {func(c *Config) { c.SessionCookie = "cjrelay_click" }, "session_cookie"},
		"OurSession":          {func(c *Config) { c.SessionCookie = "cjrelay_session" }, "session_cookie"},
		"AllCookies":          {func(c *Config) { c.SessionHeader = "set-cookie" }, "session_header"},
		"HeaderName":          {func(c *Config) { c.SessionHeader = "a:b" }, "session_header"},
		"ShortSecret":         {func(c *Config) { c.Secrets = []string{secret, strings.Repeat("s", minSecret-1)} }, "secrets[1]"},
		"Proxy":               {func(c *Config) { c.TrustedProxies = []netip.Prefix{{}} }, "trusted_proxies[0]"},
		"PublicSuffix":        {func(c *Config) { c.CookieDomain = ".co.uk" }, "cookie_domain"},
		"PrivateSuffix":       {func(c *Config) { c.CookieDomain = "github.io" }, "cookie_domain"},
		"TopLevel":            {func(c *Config) { c.CookieDomain = "com" }, "cookie_domain"},
		"Address":             {func(c *Config) { c.CookieDomain = "192.0.2.1" }, "cookie_domain"},
		"Port":                {func(c *Config) { c.CookieDomain = "example.com:443" }, "cookie_domain"},
		"Dash":                {func(c *Config) { c.CookieDomain = "shop-.example.com" }, "cookie_domain"},
		"NotASCII":            {func(c *Config) { c.CookieDomain = "münchen.de" }, "cookie_domain"},
		"ConsentCookie":       {func(c *Config) { c.Consent = Consent{Cookie: "a;b", Pattern: anything} }, "consent_cookie"},
		"ConsentHeader":       {func(c *Config) { c.Consent = Consent{Header: "a b", Pattern: anything} }, "consent_header"},
		"ConsentPattern":      {func(c *Config) { c.Consent = Consent{Cookie: "a"} }, "consent_pattern"},
		"ConsentWithoutPlace": {func(c *Config) { c.Consent = Consent{Pattern: anything} }, "consent_pattern"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			encode, err := NewEncoder(schema.FormatString, "", nil)
			require.NoError(t, err)
			config := Config{Encode: encode, Spool: Spool{Dir: t.TempDir()}}
			test.change(&config)
			_, err = New(config)
			var refused *schema.FieldError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, test.field, refused.Field)
			require.NotContains(t, err.Error(), "sss")
		})
	}
}

func TestConfigOfTheDomain(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"example.com", ".example.com", "Example.CO.UK", "shop.github.io", "a.b.example.test"} {
		b := setup(t, func(c *Config) { c.CookieDomain = domain })
		require.NoError(t, b.Close())
	}
}

func TestKafkaOptionsAreChecked(t *testing.T) {
	t.Parallel()
	encode, _ := NewEncoder(schema.FormatString, "", nil)
	config := Config{Encode: encode, Spool: Spool{Dir: t.TempDir()}, Client: []kgo.Opt{kgo.ProducerBatchMaxBytes(-1)}}
	_, err := New(config)
	require.ErrorContains(t, err, "kafka")
	config.Client = nil
	edge, err := New(config)
	require.NoError(t, err, "the spool was given up")
	require.NoError(t, edge.Close())
}

func TestEncoderOfAnUnknownFormatIsRefused(t *testing.T) {
	t.Parallel()
	_, err := NewEncoder("xml", "cjevent", nil)
	require.ErrorContains(t, err, `"xml"`)
	_, err = NewEncoder(schema.FormatAvro, "cjevent", nil)
	require.ErrorContains(t, err, "registry")
}

// A single edge needs no secret: it makes one, and keeps it.
func TestSecretThatNobodyConfiguredIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Secrets = nil })
	made := b.keys[0].secret
	require.Len(t, made, 52)
	require.NoError(t, b.Close())
	again, err := New(b.config)
	require.NoError(t, err)
	require.Equal(t, keys{{made}}, again.keys)
	require.NoError(t, again.Close())
	other := setup(t, func(c *Config) { c.Secrets = nil })
	require.NotEqual(t, made, other.keys[0].secret)
	info, err := os.Stat(b.config.Spool.Dir + "/" + secretFile)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

// A power failure must not take it back: the cookies that it has signed would be forged ones.
func TestSecretThatWasMadeSurvivesACrash(t *testing.T) {
	t.Parallel()
	files := newMemoryFiles()
	b := setupOn(t, files, func(c *Config) { c.Secrets = nil })
	crash := &memoryFiles{fs: files.fs.CrashClone(vfs.CrashCloneCfg{})}
	kept, err := keptSecret(crash)
	require.NoError(t, err)
	require.Equal(t, b.keys[0].secret, kept)
}

// Half a secret signs nothing, and one that cannot be read is not thrown away.
func TestSecretThatIsDamagedIsReplaced(t *testing.T) {
	t.Parallel()
	files := osFiles{t.TempDir()}
	require.NoError(t, replaceFile(files, secretFile, []byte("too short\n")))
	made, err := keptSecret(files)
	require.NoError(t, err)
	require.Len(t, made, 52)
	_, err = keptSecret(blind{files})
	require.ErrorIs(t, err, errBlind)
	again, err := keptSecret(files)
	require.NoError(t, err)
	require.Equal(t, made, again)
}

// blind is a directory that cannot be read for a moment.
type blind struct{ files }

var errBlind = errors.New("bad sector")

func (blind) read(string) ([]byte, error) { return nil, errBlind }

// What is shown to people and machines holds neither click ids nor sessions nor secrets.
func TestLogAndMetricsHoldNothingPrivate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.browser.has("sid", "s-private")
	stop := b.start()
	b.browser.get("/?cjevent=" + clickA)
	require.NoError(t, b.Forget(t.Context(), "s-private"))
	stop()
	for _, private := range []string{clickA, "s-private", secret} {
		require.False(t, strings.Contains(b.log.String(), private))
	}
}
