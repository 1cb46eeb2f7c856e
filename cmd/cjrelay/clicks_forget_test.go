package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

func TestClicksForget(t *testing.T) {
	e := captures(t)
	forget := func(more ...string) result {
		return call(t, "", append([]string{"clicks", "forget", "--config", e.configuration}, more...)...)
	}
	erased := func(session string) {
		t.Helper()
		require.Eventually(t, func() bool { return e.lastOf(t, session) == "erased" }, time.Minute, 5*time.Millisecond)
	}

	e.land(t, "s-1", click)
	got := forget("s-1")
	require.Equal(t, exitDone, got.code, got.err)
	require.Equal(t, "forgotten by the edge at "+e.admin+"\n", got.out)
	require.Contains(t, got.err, "the shopper's own cookies")
	erased("s-1")

	e.land(t, "s-2", click)
	got = forget("s-2", "--edge", e.admin+","+nowhere(t))
	require.Equal(t, exitFailed, got.code, "an edge that was not asked may have the click in its spool")
	require.Contains(t, got.err, "no process runs at --edge ")
	require.Contains(t, got.err, "start it and call this again")
	erased("s-2")

	require.Equal(t, exitFailed, forget("s 3").code)
	t.Setenv("CJRELAY_ADMIN__TOKEN", "another-token-0123")
	require.Contains(t, forget("s-3").err, "this needs the admin token")
	t.Setenv("CJRELAY_ADMIN__TOKEN", "")
	require.Contains(t, forget("s-3").err, "this needs the admin token")
	require.Equal(t, exitUsage, forget("").code)

	// Without an edge the erasure goes to Kafka by itself, through the spool that the edge has left.
	e.land(t, "s-4", click)
	require.NoError(t, e.Process.Kill())
	e.exit()
	got = forget("s-4")
	require.Equal(t, exitDone, got.code, got.err)
	require.Equal(t, "forgotten in topic "+e.topic+"\n", got.out)
	require.Equal(t, "erased", e.lastOf(t, "s-4"))
}

func TestClicksForgetNeedsNoEdgeAndLeavesNothingBehind(t *testing.T) {
	kafka := kafkatest.Start(t)
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	topic := kafka.Topic(t, "cjevent", 1, map[string]string{"cleanup.policy": "compact,delete"})
	require.NoError(t, os.WriteFile("cjrelay.yaml", []byte("kafka: {brokers: ['"+kafka.Brokers[0]+"']}\nclicks: {topic: "+topic+"}\ncapture: {admin_listen: '"+nowhere(t)+"'}\n"), 0o600))
	got := call(t, "", "clicks", "forget", "s-1")
	require.Equal(t, exitDone, got.code, got.err)
	records := kafka.Read(t, topic)
	require.Len(t, records, 1)
	require.Equal(t, "s-1", string(records[0].Key))
	require.Nil(t, records[0].Value)
	for _, folder := range []string{".", os.TempDir()} {
		left, err := os.ReadDir(folder)
		require.NoError(t, err)
		for _, entry := range left {
			require.Equal(t, "cjrelay.yaml", entry.Name())
		}
	}
}
