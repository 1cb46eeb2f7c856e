package capture

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTroublesAreLoggedWhenTheyBeginLastAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &buffer{}
		troubles := newTroubles(slog.New(slog.NewTextHandler(log, nil)))
		said := func() int { return strings.Count(log.String(), "clicks are held up") }
		troubles.over(troubleKafka)
		require.Empty(t, log.String(), "there was none")
		for range 30 {
			troubles.note(troubleKafka, errors.New("away"))
			time.Sleep(time.Second)
		}
		require.Equal(t, 1, said())
		refused := errors.New("refused")
		troubles.note(troubleKafka, refused)
		require.Equal(t, 2, said())
		require.Contains(t, log.String(), "error=refused times=30")
		require.Equal(t, refused, troubles.list()[0].Err, "the latest")
		troubles.suspect(troubleKafka, errors.New("slow"))
		require.Equal(t, refused, troubles.list()[0].Err, "which says more than that it is slow")
		troubles.over(troubleKafka)
		require.Equal(t, 1, strings.Count(log.String(), "clicks are not held up any more"))
		require.NoError(t, troubles.list()[0].Err)
		troubles.suspect(troubleKafka, errors.New("slow"))
		require.ErrorContains(t, troubles.list()[0].Err, "slow")
		require.Equal(t, 3, said(), "it begins anew")
	})
}
