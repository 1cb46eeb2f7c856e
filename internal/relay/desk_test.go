package relay

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/letters"
)

func TestDeskSendsOneThingAtATime(t *testing.T) {
	t.Parallel()
	setup := func() (*desk, *bytes.Buffer) {
		var log bytes.Buffer
		return newDesk(config.Default(), nil, nil, slog.New(slog.NewTextHandler(&log, nil))), &log
	}
	five := func(context.Context) (Redrive, error) { return Redrive{Redriven: 5}, nil }
	bubble := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, test)
		})
	}
	bubble("RefusesASecond", func(t *testing.T) {
		d, _ := setup()
		goOn, first := make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := d.once(t.Context(), func(context.Context) (Redrive, error) {
				<-goOn
				return Redrive{}, nil
			})
			first <- err
		}()
		synctest.Wait()
		_, err := d.once(t.Context(), five)
		require.ErrorIs(t, err, console.ErrConflict)
		require.ErrorContains(t, err, "wait until that has ended")
		close(goOn)
		require.NoError(t, <-first)
		synctest.Wait()
		answer, err := d.once(t.Context(), five)
		require.NoError(t, err)
		require.Equal(t, 5, answer.Redriven)
	})
	bubble("GoesOnWhenNobodyWaitsAnyMore", func(t *testing.T) {
		d, log := setup()
		asking, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		_, err := d.once(asking, func(working context.Context) (Redrive, error) {
			time.Sleep(10 * time.Second)
			return Redrive{Redriven: 5}, working.Err()
		})
		require.ErrorContains(t, err, "it goes on")
		_, err = d.once(t.Context(), five)
		require.ErrorIs(t, err, console.ErrConflict)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Contains(t, log.String(), "later than its request")
		_, err = d.once(t.Context(), five)
		require.NoError(t, err)
	})
	bubble("EndsWhatTakesTooLong", func(t *testing.T) {
		d, _ := setup()
		began := time.Now()
		_, err := d.once(t.Context(), func(working context.Context) (Redrive, error) {
			<-working.Done()
			return Redrive{}, working.Err()
		})
		require.ErrorIs(t, err, errSendTime)
		require.Equal(t, sendTime, time.Since(began))
	})
	bubble("SaysThatAnotherRunHasBegun", func(t *testing.T) {
		d, _ := setup()
		_, err := d.once(t.Context(), func(context.Context) (Redrive, error) { return Redrive{}, fmt.Errorf("sending: %w", letters.ErrFenced) })
		require.ErrorIs(t, err, console.ErrConflict)
	})
	bubble("IsClosedWhenWhatIsUnderWayHasEnded", func(t *testing.T) {
		d, _ := setup()
		first := make(chan error, 1)
		go func() {
			_, err := d.once(t.Context(), func(working context.Context) (Redrive, error) {
				<-working.Done()
				time.Sleep(time.Second) // a transaction
				return Redrive{}, working.Err()
			})
			first <- err
		}()
		synctest.Wait()
		began := time.Now()
		d.close()
		require.Equal(t, time.Second, time.Since(began))
		require.ErrorIs(t, <-first, errStopping)
		_, err := d.once(t.Context(), five)
		require.ErrorIs(t, err, console.ErrConflict)
	})
}

func TestARedriveIsLoggedInWords(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Warn("did", "answer", Redrive{Redriven: 1, To: &console.Place{Topic: "orders", Partition: 1, Offset: 2}})
	require.Contains(t, log.String(), "answer.redriven=1 answer.refused=0 answer.left=0 answer.to=orders/1/2")
	log.Reset()
	slog.New(slog.NewTextHandler(&log, nil)).Warn("did", "answer", Redrive{Reason: "parked", Left: 7, Trouble: "no brokers"})
	require.Contains(t, log.String(), `answer.left=7 answer.reason=parked answer.trouble="no brokers"`)
}
