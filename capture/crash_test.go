package capture

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// A machine that fails right after an answer has every click that the answer called bound.
func TestCrashKeepsEveryClickThatWasAnsweredAsBound(t *testing.T) {
	t.Parallel()
	files := newMemoryFiles()
	b := setupOn(t, files, func(c *Config) { c.Durable, c.DurableWait = true, maxDurableWait })
	b.start()
	const shoppers = 8
	var group sync.WaitGroup
	type crash struct {
		fs       *vfs.MemFS
		sessions []string
	}
	crashes := make(chan crash, 1000)
	for shopper := range shoppers {
		group.Go(func() {
			var answered []string
			for visit := range 10 {
				session := fmt.Sprintf("s-%d-%d", shopper, visit)
				s := newBrowser(b)
				s.has("sid", session)
				if setCookie(s.get("/?cjevent="+clickA), cookieCompanion) == nil {
					continue
				}
				answered = append(answered, session)
				crashes <- crash{files.fs.CrashClone(vfs.CrashCloneCfg{}), answered[:len(answered):len(answered)]}
			}
		})
	}
	group.Wait()
	close(crashes)
	require.Len(t, crashes, shoppers*10)
	require.Zero(t, b.metric("undurable_total"))
	for c := range crashes {
		there := map[string]bool{}
		after := openShelf(t, &memoryFiles{fs: c.fs}, enough)
		for _, r := range after.rest() {
			there[r.session] = true
		}
		require.NoError(t, after.close())
		for _, session := range c.sessions {
			require.True(t, there[session], session)
		}
	}
}

// A disk that hangs is no reason for a page to wait, and what came meanwhile is not lost.
func TestDiskThatHangsDoesNotHoldPagesUp(t *testing.T) {
	t.Parallel()
	files := newMemoryFiles()
	b := setupOn(t, files)
	goOn := make(chan struct{})
	files.before = func(operation string) error {
		if operation == "sync" {
			<-goOn
		}
		return nil
	}
	stop := b.start()
	for i := range 100 {
		s := newBrowser(b)
		s.has("sid", fmt.Sprintf("s-%03d", i))
		require.Equal(t, http.StatusOK, s.get("/?cjevent="+clickA).StatusCode)
		require.Equal(t, clickA, s.cookie("cje"))
	}
	require.Zero(t, b.metric("spooled_total"))
	close(goOn)
	stop()
	require.Equal(t, 100.0, b.metric("spooled_total"))
	after := openShelf(t, &memoryFiles{fs: files.fs}, enough)
	for i, r := range after.rest() {
		require.Equal(t, fmt.Sprintf("s-%03d", i), r.session)
	}
}
