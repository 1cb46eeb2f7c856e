package capture

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

func someCompanion(sessions int) companion {
	c := companion{click: schema.Click{ID: clickA, CapturedAt: time.UnixMilli(1_764_000_000_123).UTC()}}
	for i := range sessions {
		c.bind(sessionHash{byte(i), 1})
	}
	return c
}

func TestCompanionIsReadAsItWasSealed(t *testing.T) {
	t.Parallel()
	k := keys{{secret}, {"another secret of 16"}}
	for sessions := range maxBound + 1 {
		c := someCompanion(sessions)
		for _, by := range k {
			opened, with, ok := k.open(by.seal(c))
			require.True(t, ok)
			require.Equal(t, by, with)
			require.Equal(t, c, opened)
		}
	}
}

func TestCompanionForgetsTheOldestSession(t *testing.T) {
	t.Parallel()
	c := someCompanion(maxBound + 2)
	require.Len(t, c.bound, maxBound)
	require.False(t, c.binds(sessionHash{1, 1}))
	require.True(t, c.binds(sessionHash{2, 1}))
	require.True(t, c.binds(sessionHash{maxBound + 1, 1}))
}

// No byte of it can be changed, and it can be neither shortened nor lengthened.
func TestCompanionCannotBeChanged(t *testing.T) {
	t.Parallel()
	k := keys{{secret}}
	sealed := k[0].seal(someCompanion(3))
	for i := range sealed {
		for _, other := range []byte("0aZ.-_%") {
			if sealed[i] == other {
				continue
			}
			_, _, ok := k.open(sealed[:i] + string(other) + sealed[i+1:])
			require.False(t, ok, "byte %d to %c", i, other)
		}
		_, _, ok := k.open(sealed[:i])
		require.False(t, ok)
		_, _, ok = k.open(sealed + sealed[:i+1])
		require.False(t, ok)
	}
	// The last character has bits that mean nothing.
	for _, other := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		changed := sealed[:len(sealed)-1] + string(other)
		_, _, ok := k.open(changed)
		require.Equal(t, changed == sealed, ok, changed)
	}
	// A session's hash is no seal, though a client may choose the session and read the hash in its cookie.
	text := sealed[:strings.LastIndexByte(sealed, '.')]
	seal, hash := k[0].mac(labelCompanion, text), k[0].hash(text)
	require.NotEqual(t, seal[:len(hash)], hash[:])
	of := k[0].mac(labelSession, text)
	_, _, ok := k.open(text + "." + base64.RawURLEncoding.EncodeToString(of[:macBytes]))
	require.False(t, ok)
}

// Another version of ours may have sealed what this one does not know.
func TestCompanionOfAnotherVersionIsIgnored(t *testing.T) {
	t.Parallel()
	k := keys{{secret}}
	bound := base64.RawURLEncoding.EncodeToString(make([]byte, 8))
	for name, test := range map[string]struct {
		text string
		ok   bool
	}{
		"AsNow":           {"1.jx." + clickA + "." + bound, true},
		"NoSession":       {"1.jx." + clickA + ".", true},
		"Version":         {"2.jx." + clickA + "." + bound, false},
		"AnotherField":    {"1.jx." + clickA + "." + bound + ".x", false},
		"Click":           {"1.jx.a-b." + bound, false},
		"NoClick":         {"1.jx.." + bound, false},
		"Time":            {"1.j!." + clickA + "." + bound, false},
		"NoTime":          {"1.0." + clickA + "." + bound, false},
		"HalfASession":    {"1.jx." + clickA + "." + bound[:6], false},
		"TooManySessions": {"1.jx." + clickA + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 8*(maxBound+1))), false},
		"TooLong":         {"1." + strings.Repeat("0", maxCompanion) + "jx." + clickA + "." + bound, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mac := k[0].mac(labelCompanion, test.text)
			_, _, ok := k.open(test.text + "." + base64.RawURLEncoding.EncodeToString(mac[:macBytes]))
			require.Equal(t, test.ok, ok)
		})
	}
}

// Another edge's clock may be ahead.
func TestCompanionLivesNoLongerThanCJsCookie(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_764_000_000_000)
	for age, left := range map[time.Duration]time.Duration{-time.Hour: cookieLife, 0: cookieLife, time.Hour: cookieLife - time.Hour, cookieLife: 0} {
		require.Equal(t, left, companion{click: schema.Click{ID: clickA, CapturedAt: at.Add(-age)}}.left(at), age)
	}
}

func TestSessionsCannotBeGuessedFromACompanion(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, key{secret}.hash("customer-1"), key{"another secret of 16"}.hash("customer-1"))
	require.NotContains(t, key{secret}.seal(someCompanion(1)), "customer")
}

func FuzzCompanion(f *testing.F) {
	k := keys{{secret}}
	f.Add(k[0].seal(someCompanion(2)))
	f.Add("1." + strings.Repeat("z", 20) + "." + clickA + "..")
	f.Add("1.jx.a.AAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if c, _, ok := k.open(text); ok {
			require.Equal(t, text, k[0].seal(c), "there is one way of writing it")
		}
		// What a version of ours might have sealed must not do harm either.
		c, ok := parseCompanion(text)
		if !ok {
			return
		}
		require.NoError(t, schema.ValidClickID(c.click.ID))
		again, _, ok := k.open(k[0].seal(c))
		require.True(t, ok)
		require.Equal(t, c, again)
	})
}
