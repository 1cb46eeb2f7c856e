package capture

import (
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
	// A session's hash is no seal.
	hash := k[0].mac(labelSession, "x")
	require.False(t, k[0].signed(labelCompanion, "x", hash[:macBytes]))
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
